import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  cpSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Client } from "@langchain/langgraph-sdk";
import { afterAll, afterEach, beforeAll, onTestFinished } from "vitest";
import { descendantsOf, isAlive, killIfAlive } from "./processes.ts";
import { waitFor } from "./wait.ts";
import {
  createDatabase,
  isOnPostgres,
  type CreatedDatabase,
} from "./postgres.ts";
import { freePort } from "./free-port.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const PROGRAM = join(ROOT, "dist/cli/index.js");

/** Long enough for a loaded machine, short enough that a server that hangs is seen. */
const START_MS = 60_000;
const STOP_MS = 15_000;

/** Every graph of the examples, and some that misbehave. */
export const ALL_GRAPHS = join(ROOT, "test/fixtures/all-graphs/langgraph.json");
export const CRASH_GRAPHS = join(
  ROOT,
  "test/fixtures/crash-graphs/langgraph.json",
);

export interface ServerOptions {
  /** Path of a langgraph.json. */
  config?: string;
  workers?: number;
  /** The command; `start` unless told otherwise. */
  mode?: "dev" | "start";
  /** Further flags of the command. */
  flags?: string[];
  env?: Record<string, string>;
  /** False with `--no-http`: it is ready when it says so. */
  listens?: boolean;
  /** A data folder to begin with, which is copied. */
  dataFrom?: string;
  /** The built program; ours unless told otherwise. */
  program?: string;
}

/** Where a command finds a project and its data. */
export interface Place {
  config: string;
  dataDir: string;
  env: Record<string, string>;
}

/** The built program as a process of its own, on a data directory of its own. */
export class TestServer {
  /** Holds the data directory and the log; gone after a test that passed. */
  readonly directory: string;
  readonly dataDir: string;
  #options: ServerOptions;
  readonly #graph: string;
  #port = 0;
  #process: ChildProcess | null = null;
  /** On Postgres: a database of its own. */
  #postgres: CreatedDatabase | null = null;

  constructor(options: ServerOptions) {
    this.#options = options;
    this.directory = mkdtempSync(join(tmpdir(), "spool-server-"));
    this.dataDir = join(this.directory, "data");
    if (options.dataFrom !== undefined)
      cpSync(options.dataFrom, this.dataDir, { recursive: true });
    this.#graph = firstGraph(options.config ?? ALL_GRAPHS);
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  get pid(): number {
    const pid = this.#process?.pid;
    if (pid === undefined) throw new Error("the server is not running");
    return pid;
  }

  /** Its project and its data, for commands that work on them. */
  get place(): Place {
    return {
      config: this.#options.config ?? ALL_GRAPHS,
      dataDir: this.dataDir,
      env: this.#postgres === null ? {} : { POSTGRES_URI: this.#postgres.uri },
    };
  }

  /** For commands before the first start: it has a database then, where one has to be made. */
  async prepare(): Promise<void> {
    if (isOnPostgres() && this.#options.env?.["POSTGRES_URI"] === undefined)
      this.#postgres ??= await createDatabase();
  }

  /** Does not repeat failed requests, so that no failure is hidden from a test. */
  get client(): Client {
    return new Client({ apiUrl: this.url, callerOptions: { maxRetries: 0 } });
  }

  /** A request that the SDK has no method for. */
  fetch(path: string, init?: RequestInit): Promise<Response> {
    return fetch(this.url + path, init);
  }

  /** A JSON request, for bodies that the SDK would not send. */
  send(method: string, path: string, body?: unknown): Promise<Response> {
    return this.fetch(path, {
      method,
      headers: { "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  }

  /** Keeps its port over restarts, as a server that clients know would. */
  async start(): Promise<void> {
    this.#port ||= await freePort();
    await this.prepare();
    const log = openSync(this.#log, "a");
    const { program = PROGRAM } = this.#options;
    const child = spawn(process.execPath, [program, ...this.#flags()], {
      cwd: this.directory,
      env: {
        ...cleanEnvironment(),
        ...(this.#postgres && { POSTGRES_URI: this.#postgres.uri }),
        ...this.#options.env,
      },
      stdio: ["ignore", log, log],
    });
    closeSync(log);
    this.#process = child;
    const ended = new AbortController();
    child.once("exit", (code, signal) =>
      ended.abort(
        new Error(`the server ended with ${code ?? signal}:\n${this.output()}`),
      ),
    );
    await waitFor("the server answers", () => this.#isReady(), {
      timeoutMs: START_MS,
      signal: ended.signal,
    });
  }

  /** As if the machine had lost its power, but for what the disk has acknowledged. */
  async kill9(): Promise<void> {
    await this.#end("SIGKILL");
  }

  async stop(): Promise<void> {
    await this.#end("SIGTERM");
  }

  /** On the same data, at the same address; with another langgraph.json, when one is given. */
  async restart({ config }: { config?: string } = {}): Promise<void> {
    if (this.#process) await this.stop();
    if (config !== undefined) this.#options = { ...this.#options, config };
    await this.start();
  }

  /** Processes that the server has started: its workers. */
  workerPids(): number[] {
    return descendantsOf(this.pid);
  }

  /** What the program has printed, over all of its starts. */
  output(): string {
    return existsSync(this.#log) ? readFileSync(this.#log, "utf8") : "";
  }

  /** Ends everything. `keep` leaves the data and prints the log, for a test that failed. */
  async close({ keep }: { keep: boolean }): Promise<void> {
    const left = this.#process ? this.workerPids() : [];
    if (this.#process) await this.stop().catch(() => this.kill9());
    for (const pid of left) if (isAlive(pid)) killIfAlive(pid);
    if (!keep) {
      await this.#postgres?.drop();
      rmSync(this.directory, { recursive: true, force: true });
      return;
    }
    process.stderr.write(
      `\n--- log of the server, data kept in ${this.directory}\n${this.output().slice(-20_000)}\n---\n`,
    );
  }

  get #log(): string {
    return join(this.directory, "server.log");
  }

  #flags(): string[] {
    const { config = ALL_GRAPHS, workers = 2, flags = [] } = this.#options;
    const { mode = "start" } = this.#options;
    return [
      ...[mode, "--no-browser", "--config", config, "--data-dir", this.dataDir],
      ...["--host", "127.0.0.1", "--port", String(this.#port)],
      ...["--workers", String(workers), ...flags],
    ];
  }

  async #isReady(): Promise<boolean> {
    if (this.#options.listens === false) return /ready/i.test(this.output());
    if (!(await this.fetch("/ok")).ok) return false;
    // Only a worker that has loaded the project can draw a graph.
    return (await this.fetch(`/assistants/${this.#graph}/graph`)).ok;
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process;
    if (!child) return;
    if (child.exitCode === null && child.signalCode === null) {
      const gone = once(child, "exit", {
        signal: AbortSignal.timeout(STOP_MS),
      });
      child.kill(signal);
      await gone.catch((cause: unknown) => {
        throw new Error(`the server did not end after ${signal}`, { cause });
      });
    }
    this.#process = null;
  }
}

/** One server for all tests of a file or of a `describe`. */
export function useServer(options: ServerOptions = {}): TestServer {
  const server = new TestServer(options);
  let failed = false;
  beforeAll(async () => {
    try {
      await server.start();
    } catch (error) {
      failed = true;
      throw error;
    }
  });
  afterEach(({ task }) => {
    failed ||= task.result?.state === "fail";
  });
  afterAll(() => server.close({ keep: failed }));
  return server;
}

/** A server that the test may kill and start as it likes. */
export async function startServer(
  options: ServerOptions = {},
): Promise<TestServer> {
  const server = new TestServer(options);
  onTestFinished(({ task }) =>
    server.close({ keep: task.result?.state === "fail" }),
  );
  await server.start();
  return server;
}

const firstGraph = (config: string): string => {
  const { graphs } = JSON.parse(readFileSync(config, "utf8")) as {
    graphs: Record<string, unknown>;
  };
  return Object.keys(graphs)[0] ?? "";
};

/** Neither keys nor settings of the machine that runs the tests reach the program. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const foreign =
    /^(VITEST|NODE_ENV|NODE_OPTIONS|OPENAI|ANTHROPIC|LANG(SMITH|GRAPH|CHAIN)_|SPOOL|LOG_|PORT$|BG_JOB|N_JOBS|POSTGRES|DATABASE)/;
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !foreign.test(name)),
  );
}
