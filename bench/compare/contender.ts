import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  cpSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { treeOf } from "./process-usage.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** A server that is measured: how it is started in a folder of its own. */
export interface Contender {
  readonly name: string;
  readonly version: string;
  /** What a reader would type to get the same. */
  readonly command: string;
  /** Where the graphs find LangGraph. */
  readonly nodeModules: string;
  readonly env: Record<string, string>;
  argv(port: number, project: string): string[];
}

const PEER_MODULES = join(ROOT, "bench/peer/node_modules");

export const SPOOL: Contender = {
  name: "Spool",
  version: versionIn(ROOT),
  command: "spool start",
  nodeModules: join(ROOT, "node_modules"),
  env: {},
  argv: (port, project) => [
    join(ROOT, "dist/cli/index.js"),
    "start",
    ...["--config", project, "--port", String(port)],
  ],
};

export const PEER: Contender = {
  name: "langgraphjs dev",
  // Read when it is asked for: `--postgres` works without a peer.
  get version() {
    return versionIn(join(PEER_MODULES, "@langchain/langgraph-api"));
  },
  command: "langgraphjs dev --no-browser --no-reload",
  nodeModules: PEER_MODULES,
  // Nothing of a benchmark leaves the machine.
  env: { LANGGRAPH_CLI_NO_ANALYTICS: "1", LANGSMITH_TRACING: "false" },
  argv: (port, project) => [
    join(PEER_MODULES, "@langchain/langgraph-cli/dist/cli/cli.mjs"),
    "dev",
    ...["--no-browser", "--no-reload", "--host", "127.0.0.1"],
    ...["--config", join(project, "langgraph.json"), "--port", String(port)],
  ],
};

function versionIn(directory: string): string {
  const text = readFileSync(join(directory, "package.json"), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}

const START_MS = 120_000;

/** A running contender with an empty store. */
export class Running {
  readonly url: string;
  readonly pid: number;
  readonly project: string;
  /** Milliseconds from the start of the process to the first answer of `/ok`. */
  readonly startMs: number;
  readonly #process: ChildProcess;

  private constructor(
    child: ChildProcess,
    facts: { url: string; project: string; startMs: number },
  ) {
    this.#process = child;
    this.pid = child.pid ?? 0;
    this.url = facts.url;
    this.project = facts.project;
    this.startMs = facts.startMs;
  }

  static async start(
    contender: Contender,
    env: Record<string, string> = {},
  ): Promise<Running> {
    const project = mkdtempSync(join(tmpdir(), "spool-bench-"));
    cpSync(join(ROOT, "bench/project"), project, { recursive: true });
    symlinkSync(contender.nodeModules, join(project, "node_modules"));
    return Running.startIn(project, contender, env);
  }

  /** Again, on what an earlier one has left. */
  static async startIn(
    project: string,
    contender: Contender,
    env: Record<string, string> = {},
  ): Promise<Running> {
    const port = await freePort();
    const log = openSync(join(project, "server.log"), "a");
    const startedAt = performance.now();
    const child = spawn(
      process.execPath,
      [...nodeFlags(contender), ...contender.argv(port, project)],
      {
        cwd: project,
        env: { ...process.env, ...contender.env, ...env },
        stdio: ["ignore", log, log],
      },
    );
    closeSync(log);
    const url = `http://127.0.0.1:${port}`;
    await answers(url, child, project);
    const startMs = performance.now() - startedAt;
    return new Running(child, { url, project, startMs });
  }

  get log(): string {
    return readFileSync(join(this.project, "server.log"), "utf8");
  }

  /** Safe to call twice. */
  async stop({ keepProject = false } = {}): Promise<void> {
    await this.#end();
    if (!keepProject) rmSync(this.project, { recursive: true, force: true });
  }

  async #end(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null)
      return;
    const tree = treeOf(this.pid);
    const exit = once(this.#process, "exit");
    this.#process.kill("SIGTERM");
    const late = setTimeout(() => killAll(tree), 15_000);
    await exit;
    clearTimeout(late);
    killAll(tree.slice(1));
  }
}

/** `SPOOL_NODE_FLAGS=--cpu-prof` profiles our server. */
const nodeFlags = (contender: Contender): string[] =>
  contender === SPOOL
    ? (process.env["SPOOL_NODE_FLAGS"] ?? "").split(" ").filter(Boolean)
    : [];

function killAll(pids: readonly number[]): void {
  for (const pid of pids)
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // gone already
    }
}

async function answers(
  url: string,
  child: ChildProcess,
  project: string,
): Promise<void> {
  const deadline = performance.now() + START_MS;
  while (performance.now() < deadline) {
    if (child.exitCode !== null) break;
    const isUp = await fetch(`${url}/ok`).then(
      (response) => response.ok,
      () => false,
    );
    if (isUp) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  child.kill("SIGKILL");
  throw new Error(`no server at ${url}; see ${project}/server.log`);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
