/** Tests in Python, told one by one. */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Pytest {
  /** Path of the Python program that has pytest. */
  program: string;
  /** Where the tests are; its conftest.py writes a line per phase of a test to `SPOOL_RESULTS`. */
  folder: string;
}

export interface PythonTest {
  /** `test_threads.py::test_a_thread_needs_nothing[async]` */
  id: string;
  /** `threads` */
  file: string;
  /** `a thread needs nothing (async)` */
  name: string;
}

export interface PythonResults {
  output: string;
  /** Whether Python could not go on to the end of its tests, passed or failed. */
  crashed: boolean;
  /** What went wrong in a test; null when it passed. */
  failureOf(id: string): string | null;
}

/** Exit codes of pytest. */
const PASSED = 0;
const FAILED = 1;

interface Phase {
  test: string;
  phase: "setup" | "call" | "teardown";
  outcome: "passed" | "failed" | "skipped";
  text: string;
}

export async function listTests(pytest: Pytest): Promise<PythonTest[]> {
  const { code, output } = await run(pytest, ["--collect-only", "-q"]);
  if (code !== 0) throw new Error(`pytest cannot read its tests:\n${output}`);
  return output
    .split("\n")
    .filter((line) => line.includes("::"))
    .map((id) => {
      const [, file = "", name = "", parameters] =
        /^test_(.+)\.py::test_([^[]+)(?:\[(.+)\])?$/.exec(id) ?? [];
      const words = name.replaceAll("_", " ");
      return {
        id,
        file,
        name: parameters ? `${words} (${parameters})` : words,
      };
    });
}

/** One program per environment, side by side; together they run every test once. */
export async function runTests(
  pytest: Pytest,
  environments: Record<string, string>[],
): Promise<PythonResults> {
  const directory = mkdtempSync(join(tmpdir(), "spool-pytest-"));
  try {
    const runs = environments.map(async (env, n) => {
      const file = join(directory, `${n}.jsonl`);
      const args = ["-q", "--tb=short"];
      const ended = await run(pytest, args, { ...env, SPOOL_RESULTS: file });
      return { ...ended, phases: existsSync(file) ? readPhases(file) : [] };
    });
    const ended = await Promise.all(runs);
    const phases = ended.flatMap((one) => one.phases);
    const output = ended.map((one) => one.output).join("\n");
    return {
      output,
      crashed: ended.some(({ code }) => code !== PASSED && code !== FAILED),
      failureOf: (id) => failureIn(phases, id, output),
    };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

const readPhases = (file: string): Phase[] =>
  readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Phase);

/** Only a test of which every phase is told, and well, has passed. */
function failureIn(phases: Phase[], id: string, output: string): string | null {
  const own = phases.filter(({ test }) => test === id);
  const failed = own.find(({ outcome }) => outcome !== "passed");
  if (failed) return failed.text || `${failed.phase}: ${failed.outcome}`;
  if (own.length === 3) return null;
  return `Python ended before the end of this test:\n${output.slice(-5000)}`;
}

function run(
  { program, folder }: Pytest,
  args: string[],
  env: Record<string, string> = {},
): Promise<{ code: number; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, ["-m", "pytest", ...args], {
      cwd: folder,
      env: { ...cleanEnvironment(), PYTHONDONTWRITEBYTECODE: "1", ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    child.stdout.on("data", (chunk) => (output += String(chunk)));
    child.stderr.on("data", (chunk) => (output += String(chunk)));
    child.once("error", reject);
    child.once("close", (code) => resolve({ code: code ?? -1, output }));
  });
}

/** Neither keys nor settings of the machine reach the tests: the SDK reads its key from the environment. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const foreign = /^(LANG(SMITH|GRAPH|CHAIN)_|PYTEST|PYTHON)/;
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !foreign.test(name)),
  );
}
