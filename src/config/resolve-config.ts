import { resolve } from "node:path";
import { MISSED_TICKS, type MissedTicks } from "../model/cron.ts";
import { ConfigError } from "./config-error.ts";
import type { Config, Durability, Flags, Machine, Mode } from "./config.ts";
import type { Env } from "./env.ts";
import type { Project } from "./langgraph-json.ts";
import { toListener } from "./listener.ts";
import { toLogSettings } from "./log-settings.ts";
import { toPostgres } from "./postgres.ts";
import { safetyWarnings } from "./safety.ts";
import { firstSource, toChoice, toInteger } from "./values.ts";
import { toWebhookSettings } from "./webhooks.ts";
import { toLangGraphConfig, toOrigins } from "./variables.ts";

export interface ConfigInput {
  mode: Mode;
  flags: Flags;
  machine: Machine;
  project: Project;
  /** What `env` of langgraph.json brought. */
  variables: Record<string, string>;
}

/** Flags win over the environment, which wins over langgraph.json. Reads nothing; throws a `ConfigError`. */
export function resolveConfig(input: ConfigInput): {
  config: Config;
  warnings: string[];
} {
  const { mode, flags, machine, project } = input;
  const env: Env = { ...input.variables, ...machine.env };
  const listener = toListener(flags, { env, processEnv: machine.env });
  const config: Config = {
    ...listener,
    ...toCapacity(input, env),
    ...toLimits(env),
    mode,
    configPath: project.configPath,
    root: project.root,
    graphs: project.graphs,
    dataDir: resolve(flags.dataDir ?? `${project.root}/.spool`),
    postgres: toPostgres(env, machine.env),
    durability: toDurability(flags),
    servesHttp: flags.http ?? true,
    reload: mode === "dev" && flags.reload,
    cors: project.cors ?? toOrigins(env),
    configurableHeaders: project.configurableHeaders,
    disabledRoutes: project.disabledRoutes,
    log: toLogSettings(env, machine),
    ttl: project.ttl,
    threadSweep: project.threadSweep,
    storeTtl: project.storeTtl,
    webhooks: toWebhookSettings(project.webhooks, env),
    storeIndex: project.storeIndex,
    missedTicks: toMissedTicks(env),
    workerEnv: toWorkerEnv(env, mode),
    langgraphConfig: toLangGraphConfig(env),
    langsmith: mayTrace(env),
    studioUrl: toStudioUrl(env),
  };
  if (!config.servesHttp && config.postgres === null)
    throw new ConfigError(
      "--no-http needs a Postgres that other servers accept runs in (POSTGRES_URI): nobody else has this data folder",
    );
  return {
    config,
    warnings: safetyWarnings({ config, env, machine, project }),
  };
}

const WHOLE = Number.MAX_SAFE_INTEGER;

function toCapacity(
  { mode, flags, machine }: ConfigInput,
  env: Env,
): Pick<Config, "workers" | "jobsPerWorker" | "workerHeapMb"> {
  const workers = firstSource(["--workers", flags.workers]);
  const jobs = firstSource(
    ["--n-jobs-per-worker", flags.nJobsPerWorker],
    ["N_JOBS_PER_WORKER", env["N_JOBS_PER_WORKER"]],
  );
  const heap = firstSource(["--worker-heap", flags.workerHeap]);
  // One core is left to the server process, which answers everybody.
  const standard = mode === "dev" ? 1 : Math.max(1, machine.cores - 1);
  return {
    workers: workers ? toInteger(workers, { min: 1, max: 1024 }) : standard,
    jobsPerWorker: jobs ? toInteger(jobs, { min: 0, max: 100_000 }) : 10,
    // LangGraph and a project of some size need about 60 MB themselves.
    workerHeapMb: heap ? toInteger(heap, { min: 64, max: 1_048_576 }) : null,
  };
}

function toLimits(env: Env) {
  const integer = (name: string, standard: number, min = 0, max = WHOLE) => {
    const source = firstSource([name, env[name]]);
    return source ? toInteger(source, { min, max }) : standard;
  };
  return {
    bodyLimitBytes: integer(
      "HTTP_MAX_REQUEST_BODY_BYTES",
      300 * 1024 * 1024,
      1,
    ),
    runTimeoutSeconds: integer("BG_JOB_TIMEOUT_SECS", 3600, 1),
    shutdownGraceSeconds: integer(
      "BG_JOB_SHUTDOWN_GRACE_PERIOD_SECS",
      180,
      0,
      3600,
    ),
    maxRetries: integer("BG_JOB_MAX_RETRIES", 3),
    cancelGraceSeconds: integer("BG_JOB_CANCEL_GRACE_PERIOD_SECS", 5, 0, 3600),
    streamRetentionSeconds: integer("RESUMABLE_STREAM_TTL_SECONDS", 3600),
  };
}

function toDurability(flags: Flags): Durability {
  const source = firstSource(["--durability", flags.durability]);
  return source ? toChoice(source, ["full", "relaxed"]) : "full";
}

function toMissedTicks(env: Env): MissedTicks {
  const source = firstSource(["CRON_MISSED_TICKS", env["CRON_MISSED_TICKS"]]);
  return source ? toChoice(source, MISSED_TICKS) : "run_once";
}

function toWorkerEnv(env: Env, mode: Mode): Record<string, string> {
  const variables: Record<string, string> = {
    NODE_ENV: mode === "dev" ? "development" : "production",
  };
  for (const [name, value] of Object.entries(env))
    if (value !== undefined) variables[name] = value;
  delete variables["SPOOL_WEBHOOK_SECRET"]; // nothing that graphs say is signed with it
  return variables;
}

/** LangChain itself reads these, in the workers; clients are told what it makes of them. */
function mayTrace(env: Env): boolean {
  const switches = [
    env["LANGSMITH_TRACING"],
    env["LANGSMITH_TRACING_V2"],
    env["LANGCHAIN_TRACING"],
    env["LANGCHAIN_TRACING_V2"],
  ];
  const hasKey =
    (env["LANGSMITH_API_KEY"] ?? env["LANGCHAIN_API_KEY"] ?? "") !== "";
  return hasKey && !switches.includes("false");
}

/** The page belongs to the API that LangSmith's variable names: api.smith… -> smith… */
function toStudioUrl(env: Env): string {
  const source = firstSource(["LANGSMITH_ENDPOINT", env["LANGSMITH_ENDPOINT"]]);
  const standard = "https://smith.langchain.com/studio";
  if (source === null || !URL.canParse(source.text)) return standard;
  const { protocol, host } = new URL(source.text);
  return `${protocol}//${host.replace(/(^|\.)api\./, "$1")}/studio`;
}
