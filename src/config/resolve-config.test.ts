import { describe, expect, test } from "vitest";
import { NO_STORE_TTL } from "../model/store-item.ts";
import { THREAD_SWEEP } from "../model/thread.ts";
import { ConfigError } from "./config-error.ts";
import type { Flags, Mode } from "./config.ts";
import type { Env } from "./env.ts";
import type { Project } from "./langgraph-json.ts";
import { resolveConfig } from "./resolve-config.ts";
import { NO_WEBHOOKS } from "./webhooks.ts";

const PROJECT: Project = {
  configPath: "/project/langgraph.json",
  root: "/project",
  graphs: [],
  env: { kind: "none" },
  cors: null,
  configurableHeaders: null,
  ttl: null,
  threadSweep: THREAD_SWEEP,
  disabledRoutes: [],
  storeTtl: NO_STORE_TTL,
  webhooks: NO_WEBHOOKS,
  storeIndex: null,
  nodeVersion: null,
  protective: [],
  warnings: [],
};

interface Given {
  mode?: Mode;
  flags?: Partial<Flags>;
  env?: Env;
  variables?: Record<string, string>;
  project?: Partial<Project>;
  isTerminal?: boolean;
}

function resolved(given: Given = {}) {
  return resolveConfig({
    mode: given.mode ?? "dev",
    flags: { reload: true, ...given.flags },
    machine: {
      env: given.env ?? {},
      cores: 4,
      nodeMajor: 20,
      isTerminal: given.isTerminal ?? false,
    },
    project: { ...PROJECT, ...given.project },
    variables: given.variables ?? {},
  });
}

const config = (given?: Given) => resolved(given).config;

function problem(given: Given): string {
  try {
    resolved(given);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  throw new Error("it was accepted");
}

test("dev without any setting is one worker on loopback that reloads", () => {
  expect(config()).toMatchObject({
    host: "127.0.0.1",
    port: { value: 2024, explicit: false },
    dataDir: "/project/.spool",
    durability: "full",
    workers: 1,
    jobsPerWorker: 10,
    workerHeapMb: null,
    reload: true,
    runTimeoutSeconds: 3600,
    shutdownGraceSeconds: 180,
    maxRetries: 3,
    log: { level: "info", json: false, color: false },
    cors: { allow_origins: ["*"], allow_credentials: false },
    langgraphConfig: {},
  });
});

test("start leaves one core to the server and never reloads", () => {
  expect(config({ mode: "start" })).toMatchObject({
    workers: 3,
    reload: false,
  });
});

test("graphs do not see what webhooks are signed with", () => {
  const secret = `whsec_${Buffer.alloc(32).toString("base64")}`;
  const env = { SPOOL_WEBHOOK_SECRET: secret, OTHER: "1" };
  const { config } = resolved({ env });
  expect(config.webhooks.signingKeys).toEqual([Buffer.alloc(32)]);
  expect(config.workerEnv).not.toHaveProperty("SPOOL_WEBHOOK_SECRET");
  expect(config.workerEnv).toMatchObject({ OTHER: "1" });
});

describe("precedence", () => {
  test("a flag wins over the environment, which wins over langgraph.json", () => {
    const variables = { N_JOBS_PER_WORKER: "1", LOG_LEVEL: "ERROR" };
    const env = { N_JOBS_PER_WORKER: "2" };
    const flags = { nJobsPerWorker: "3" };
    expect(config({ variables }).jobsPerWorker).toBe(1);
    expect(config({ variables, env }).jobsPerWorker).toBe(2);
    expect(config({ variables, env, flags }).jobsPerWorker).toBe(3);
    expect(config({ variables, env }).log.level).toBe("error");
  });

  test("--port, LANGGRAPH_SERVER_PORT and PORT count in that order, each as asked for", () => {
    const env = { PORT: "8000", LANGGRAPH_SERVER_PORT: "8001" };
    expect(config({ env: { PORT: "8000" } }).port).toEqual({
      value: 8000,
      explicit: true,
    });
    expect(config({ env }).port.value).toBe(8001);
    expect(config({ env, flags: { port: "0" } }).port.value).toBe(0);
  });

  test("PORT of the project's .env is that of another program", () => {
    expect(config({ variables: { PORT: "3000" } }).port.value).toBe(2024);
  });

  test("an empty variable counts as not set", () => {
    const env = { N_JOBS_PER_WORKER: "", PORT: " " };
    expect(config({ env })).toMatchObject({
      jobsPerWorker: 10,
      port: { value: 2024, explicit: false },
    });
  });
});

test("workers get the project's variables, the environment's first", () => {
  const { workerEnv } = config({
    variables: { A: "file", B: "file" },
    env: { B: "environment" },
  });
  expect(workerEnv).toEqual({
    NODE_ENV: "development",
    A: "file",
    B: "environment",
  });
});

test("CORS comes from langgraph.json, else from the comma list", () => {
  const env = { CORS_ALLOW_ORIGINS: "https://a.example, https://b.example" };
  const origins = ["https://a.example", "https://b.example"];
  expect(config({ env }).cors.allow_origins).toEqual(origins);
  const cors = { ...config().cors, allow_origins: ["https://c.example"] };
  expect(config({ env, project: { cors } }).cors).toEqual(cors);
});

test("colour is for terminals, unless NO_COLOR or LOG_COLOR say otherwise", () => {
  const color = (env: Env, isTerminal: boolean) =>
    config({ env, isTerminal }).log.color;
  expect(color({}, true)).toBe(true);
  expect(color({}, false)).toBe(false);
  expect(color({ NO_COLOR: "1" }, true)).toBe(false);
  expect(color({ LOG_COLOR: "true" }, false)).toBe(true);
});

test("Studio is where the LangSmith endpoint belongs", () => {
  const studio = (url: string) =>
    config({ env: { LANGSMITH_ENDPOINT: url } }).studioUrl;
  expect(config().studioUrl).toBe("https://smith.langchain.com/studio");
  expect(studio("https://eu.api.smith.langchain.com")).toBe(
    "https://eu.smith.langchain.com/studio",
  );
  expect(studio("https://api.smith.langchain.com/v1")).toBe(
    "https://smith.langchain.com/studio",
  );
});

test.each<[Given, string]>([
  [{ flags: { port: "x" } }, "--port"],
  [{ flags: { port: "70000" } }, "--port"],
  [{ flags: { port: "-1" } }, "--port"],
  [{ flags: { workers: "0" } }, "--workers"],
  [{ flags: { workers: "1.5" } }, "--workers"],
  [{ flags: { nJobsPerWorker: "many" } }, "--n-jobs-per-worker"],
  [{ flags: { durability: "none" } }, "--durability"],
  [{ env: { PORT: "http" } }, "PORT"],
  [{ env: { LOG_LEVEL: "loud" } }, "LOG_LEVEL"],
  [{ env: { LOG_JSON: "maybe" } }, "LOG_JSON"],
  [{ env: { LANGGRAPH_CONFIG: "{" } }, "LANGGRAPH_CONFIG"],
  [{ env: { LANGGRAPH_CONFIG: '{"agent": 1}' } }, "LANGGRAPH_CONFIG"],
  [{ env: { BG_JOB_SHUTDOWN_GRACE_PERIOD_SECS: "3601" } }, "BG_JOB_SHUTDOWN"],
])("%j is refused in one line that names it", (given, name) => {
  const message = problem(given);
  expect(message).toContain(`${name}`);
  expect(message).toMatch(/ is ".*"; it must be /);
  expect(message).not.toContain("\n");
});

describe("what protects data and is not served", () => {
  const project = { protective: ["auth"] };

  test("is a warning in dev on loopback", () => {
    expect(resolved({ project }).warnings).toEqual([
      expect.stringContaining("langgraph.json: auth is not served"),
    ]);
  });

  test.each<Given>([
    { mode: "start", project },
    { flags: { host: "0.0.0.0" }, project },
    { mode: "start", env: { LANGGRAPH_AES_KEY: "k" } },
  ])("stops %j", (given) => {
    expect(problem(given)).toMatch(/unprotected/);
  });
});

test("a listener that others can reach, another Node and a Redis that nobody uses are warnings", () => {
  const { warnings } = resolved({
    flags: { host: "0.0.0.0" },
    env: { REDIS_URI: "redis://secret@cache" },
    project: { nodeVersion: 24 },
  });
  expect(warnings).toEqual([
    expect.stringContaining("REDIS_URI"),
    expect.stringContaining("listening on 0.0.0.0"),
    expect.stringContaining("asks for Node 24; this is Node 20"),
  ]);
  expect(warnings.join()).not.toContain("secret");
});

test.each([
  [{}, false],
  [{ LANGSMITH_API_KEY: "" }, false],
  [{ LANGSMITH_API_KEY: "k" }, true],
  [{ LANGCHAIN_API_KEY: "k", LANGSMITH_TRACING: "true" }, true],
  [{ LANGSMITH_API_KEY: "k", LANGSMITH_TRACING: "false" }, false],
  [{ LANGSMITH_API_KEY: "k", LANGCHAIN_TRACING_V2: "false" }, false],
])("with %j tracing at LangSmith is told as %s", (env, expected) => {
  expect(resolved({ env }).config.langsmith).toBe(expected);
});
