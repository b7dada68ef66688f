import { spawn, type ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer, type AddressInfo, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { waitFor } from "../support/wait.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const PROGRAM = join(ROOT, "dist/cli/index.js");
const { version } = JSON.parse(
  readFileSync(join(ROOT, "package.json"), "utf8"),
) as { version: string };

let folder: string;
let running: Spool[] = [];

beforeEach(() => {
  // Inside the repository: the project's graphs import packages of its node_modules.
  mkdirSync(join(ROOT, ".cache"), { recursive: true });
  folder = mkdtempSync(join(ROOT, ".cache/cli-test-"));
});

afterEach(async () => {
  for (const spool of running) await spool.end("SIGKILL");
  running = [];
  rmSync(folder, { recursive: true, force: true });
});

/** The program as a user runs it, in a folder. */
class Spool {
  stdout = "";
  stderr = "";
  readonly #child: ChildProcessByStdio<null, Readable, Readable>;
  readonly #exit: Promise<number | null>;

  constructor(args: string[], env: Record<string, string> = {}) {
    const { PATH } = process.env;
    this.#child = spawn(process.execPath, [PROGRAM, ...args], {
      cwd: folder,
      env: { PATH, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child.stdout.on("data", (chunk) => (this.stdout += chunk));
    this.#child.stderr.on("data", (chunk) => (this.stderr += chunk));
    this.#exit = once(this.#child, "close").then(
      ([code]) => code as number | null,
    );
    running.push(this);
  }

  exit(): Promise<number | null> {
    return this.#exit;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async end(signal: NodeJS.Signals): Promise<number | null> {
    this.signal(signal);
    return this.#exit;
  }

  async prints(text: string): Promise<void> {
    await waitFor(text, () => this.stdout.includes(text), {
      timeoutMs: 20_000,
    }).catch((cause: unknown) => {
      throw new Error(`it printed:\n${this.stdout}${this.stderr}`, { cause });
    });
  }

  get url(): string {
    return /API\s+(\S+)/.exec(this.stdout)?.[1] ?? "";
  }
}

async function spool(
  args: string[],
  env?: Record<string, string>,
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const program = new Spool(args, env);
  const code = await program.exit();
  return { code, stdout: program.stdout, stderr: program.stderr };
}

/** A project with one small graph. */
function project(source = GRAPH): void {
  mkdirSync(join(folder, "src"));
  writeFileSync(join(folder, "src/agent.ts"), source);
  writeFileSync(
    join(folder, "langgraph.json"),
    JSON.stringify({ graphs: { agent: "./src/agent.ts:graph" } }),
  );
}

const GRAPH = `import { Annotation, StateGraph } from "@langchain/langgraph";

export const graph = new StateGraph(Annotation.Root({ word: Annotation<string> }))
  .addNode("echo", ({ word }) => ({ word }))
  .addEdge("__start__", "echo")
  .compile();
`;

async function occupied(port: number): Promise<Server> {
  const server = createServer().listen(port, "127.0.0.1");
  await once(server, "listening");
  return server;
}

describe("help and mistakes", () => {
  test("--version prints the version of the package", async () => {
    expect(await spool(["--version"])).toEqual({
      code: 0,
      stdout: `${version}\n`,
      stderr: "",
    });
  });

  test.each([["--help"], ["dev", "--help"], ["start", "--help"]])(
    "%s %s prints the usage",
    async (...args) => {
      const { code, stdout } = await spool(args);
      expect(code).toBe(0);
      expect(stdout).toMatch(/^Usage: spool/);
    },
  );

  test("the help of dev names every flag", async () => {
    const { stdout } = await spool(["dev", "--help"]);
    const flags =
      "--port --host --config --data-dir --workers --n-jobs-per-worker --no-browser --no-reload --help";
    for (const flag of flags.split(" ")) expect(stdout).toContain(flag);
  });

  test.each([
    [["dev", "--prot", "1"], "Did you mean --port?"],
    [["frobnicate"], "unknown command 'frobnicate'"],
    [["dev", "more"], "too many arguments"],
    [["dev", "--port"], "argument missing"],
    [["dev", "--port", "http"], "--port"],
    [["dev", "--port", "65536"], "--port"],
    [["start", "--workers", "0"], "--workers"],
    [["start", "--n-jobs-per-worker", "-1"], "--n-jobs-per-worker"],
  ])("%j is one line on stderr and exit code 2", async (args, message) => {
    project();
    const { code, stdout, stderr } = await spool(args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(/^error: [^\n]*\n$/);
    expect(stderr).toContain(message);
  });

  test("a folder without langgraph.json is told what to do", async () => {
    const { code, stderr } = await spool(["dev"]);
    expect(code).toBe(2);
    expect(stderr).toBe(
      `error: there is no ${join(folder, "langgraph.json")}; create it, or name another with --config\n`,
    );
  });

  test("a mistake in langgraph.json is shown with its place", async () => {
    writeFileSync(join(folder, "langgraph.json"), '{\n  "graphs": {},\n}');
    const { code, stderr } = await spool(["start"]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^error: langgraph\.json:3:1: not valid JSON/);
  });

  test("a data directory that is a file is refused", async () => {
    project();
    const file = join(folder, "langgraph.json");
    const { code, stderr } = await spool(["dev", "--data-dir", file]);
    expect(code).toBe(2);
    expect(stderr).toBe(
      `error: cannot create the data directory ${file} (EEXIST); choose another with --data-dir\n`,
    );
  });

  test("a bad variable is a mistake like a bad flag", async () => {
    project();
    const { code, stderr } = await spool(["dev"], { N_JOBS_PER_WORKER: "x" });
    expect(code).toBe(2);
    expect(stderr).toContain('N_JOBS_PER_WORKER is "x"');
  });
});

describe("a server", () => {
  test("without the project's LangGraph says what to install, in one line", async () => {
    const outside = mkdtempSync(join(tmpdir(), "spool-cli-test-"));
    try {
      project();
      cpSync(folder, outside, { recursive: true });
      const dev = new Spool(["dev", "--port", "0", "--config", outside]);
      await dev.prints("no worker could start");
      expect(dev.stdout).toMatch(
        /@langchain\/\S+ is not installed in \S+; run: npm install @langchain\/langgraph @langchain\/core\n/,
      );
      expect(dev.stdout).not.toContain("    at ");
    } finally {
      rmSync(outside, { recursive: true, force: true });
    }
  });

  test("asked to stop while it starts stops without noise", async () => {
    project();
    const dev = new Spool(["dev", "--port", "0"]);
    await dev.prints("API");
    expect(await dev.end("SIGTERM")).toBe(0);
    expect(dev.stdout).toMatch(/Stopping[^]*Stopped\.\n$/);
    expect(dev.stdout).not.toContain("WARN");
    expect(dev.stderr).toBe("");
  });

  test("says what it serves and where, names its graphs, and stops on Ctrl-C", async () => {
    project();
    const dev = new Spool(["dev", "--port", "0"]);
    await dev.prints("Ready");
    const page = await fetch(`${dev.url}/ok`);
    expect(page.status).toBe(200);
    expect(dev.stdout).toContain(`Docs    ${dev.url}/docs`);
    expect(dev.stdout).toContain(`studio?baseUrl=${dev.url}`);
    expect(dev.stdout).toContain(join(folder, ".spool"));
    expect(dev.stdout).toMatch(/✓ agent\s+\d+ ms/);
    expect(await dev.end("SIGINT")).toBe(0);
    expect(dev.stdout).toMatch(/Stopping[^]*Stopped\.\n$/);
    await expect(fetch(`${dev.url}/ok`)).rejects.toThrow("fetch failed");
  });

  test("keeps its data where git does not look", async () => {
    project();
    const dev = new Spool(["dev", "--port", "0"]);
    await dev.prints("Ready");
    await dev.end("SIGTERM");
    expect(existsSync(join(folder, ".spool/spool.db"))).toBe(true);
    expect(readFileSync(join(folder, ".spool/.gitignore"), "utf8")).toBe("*\n");
  });

  test("shows where a graph is broken, and serves it once it is mended", async () => {
    project(GRAPH.replace(".compile()", ".compile("));
    const dev = new Spool(["dev", "--port", "0"]);
    await dev.prints("Ready");
    expect(dev.stdout).toMatch(/✗ agent\s+src\/agent\.ts:\d+/);
    expect(dev.stdout).toMatch(/>\s*\d+ \|/);
    expect((await fetch(`${dev.url}/ok`)).status).toBe(200);
    writeFileSync(join(folder, "src/agent.ts"), GRAPH);
    await dev.prints("✓ agent");
  });

  test("in JSON logs tells its start in JSON too", async () => {
    project();
    const start = new Spool(["start", "--port", "0"], { LOG_JSON: "true" });
    await start.prints('"msg":"ready"');
    await start.end("SIGTERM");
    const lines = start.stdout.trim().split("\n");
    const messages = lines.map(
      (line) => (JSON.parse(line) as { msg: string }).msg,
    );
    expect(messages).toEqual(
      expect.arrayContaining(["starting", "listening", "ready", "stopped"]),
    );
  });

  test("a port that was asked for and is taken is an error", async () => {
    project();
    const other = await occupied(0);
    const { port } = other.address() as AddressInfo;
    const { code, stderr } = await spool(["dev", "--port", String(port)]);
    other.close();
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error: port \d+ .*taken.*--port\n$/);
  });

  test("when 2024 is taken dev takes the next free port and says so, start fails", async () => {
    project();
    const other = await occupied(2024).catch(() => null); // somebody else has it: all the same
    try {
      const start = await spool(["start"]);
      expect(start.code).toBe(1);
      expect(start.stderr).toMatch(/^error: port 2024 .*taken/);
      const dev = new Spool(["dev"]);
      await dev.prints("Ready");
      expect(dev.stdout).toContain("port 2024 is taken; using ");
      expect(Number(new URL(dev.url).port)).toBeGreaterThan(2024);
    } finally {
      other?.close();
    }
  });

  test("a data directory that is in use is an error that says by whom", async () => {
    project();
    const dev = new Spool(["dev", "--port", "0"]);
    await dev.prints("API");
    const second = await spool(["dev", "--port", "0"]);
    expect(second.code).toBe(1);
    expect(second.stderr).toMatch(
      /^error: data directory .* is held by pid \d+/,
    );
  });
});
