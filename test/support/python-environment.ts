/*
 * A Python with the packages of a requirements file, in an environment of its
 * own below .cache/. It is made once, by one file of tests while the others
 * wait, beside its place, and then renamed: whoever finds it finds it whole.
 */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { alone } from "../../scripts/alone.mjs";

const CACHE = fileURLToPath(new URL("../../.cache", import.meta.url));
const PROGRAMS = [
  "python3",
  "python",
  "python3.13",
  "python3.12",
  "python3.11",
];
const VERSION = "import sys; print('%d.%d' % sys.version_info[:2])";
const OLDEST_MINOR = 10;

/** `missing` says why there is none. */
export type PythonEnvironment = { program: string } | { missing: string };

/** Throws when the packages cannot be installed: that is a failure, not a machine without Python. */
export async function pythonEnvironment(
  requirements: string,
): Promise<PythonEnvironment> {
  const base = await findPython();
  if (base === null)
    return { missing: `no Python 3.${OLDEST_MINOR} or later is installed` };
  const key = createHash("sha256")
    .update(`${base.version}\n${readFileSync(requirements, "utf8")}`)
    .digest("hex");
  const folder = join(CACHE, `python-${key.slice(0, 12)}`);
  return alone("python", async () =>
    (await works(folder))
      ? { program: programIn(folder) }
      : make({ program: base.program, folder, requirements }),
  );
}

async function make(params: {
  program: string;
  folder: string;
  requirements: string;
}): Promise<PythonEnvironment> {
  const { program, folder, requirements } = params;
  const made = `${folder}.${process.pid}`;
  try {
    mkdirSync(CACHE, { recursive: true });
    const pip = await makeEnvironment(program, made);
    if (pip === null)
      return {
        missing: `${program} has neither venv with pip nor virtualenv (on Debian: apt install python3-venv)`,
      };
    await install(pip, requirements);
    // One that is there does not work: its Python is gone.
    rmSync(folder, { recursive: true, force: true });
    renameSync(made, folder);
  } finally {
    rmSync(made, { recursive: true, force: true });
  }
  return { program: programIn(folder) };
}

async function findPython(): Promise<{
  program: string;
  version: string;
} | null> {
  for (const program of PROGRAMS) {
    const { code, output } = await run([program, "-c", VERSION]);
    const [major, minor] = output.trim().split(".").map(Number);
    if (code === 0 && major === 3 && Number(minor) >= OLDEST_MINOR)
      return { program, version: output.trim() };
  }
  return null;
}

/** Gives the command that is its pip; null where no way leads to one. Debian has Python without the one or the other. */
async function makeEnvironment(
  python: string,
  folder: string,
): Promise<string[] | null> {
  const inside = [programIn(folder), "-m", "pip"];
  const ways: { make: string[]; pip: string[] }[] = [
    { make: ["-m", "venv"], pip: inside },
    { make: ["-m", "virtualenv"], pip: inside },
    {
      make: ["-m", "venv", "--without-pip"],
      pip: [python, "-m", "pip", "--python", programIn(folder)],
    },
  ];
  for (const { make, pip } of ways) {
    rmSync(folder, { recursive: true, force: true });
    const { code } = await run([python, ...make, folder]);
    if (code === 0 && (await run([...pip, "--version"])).code === 0) return pip;
  }
  return null;
}

async function install(pip: string[], requirements: string): Promise<void> {
  const flags = ["--quiet", "--disable-pip-version-check"];
  const { code, output } = await run([
    ...[...pip, "install", ...flags],
    ...["--requirement", requirements],
  ]);
  if (code !== 0)
    throw new Error(`pip cannot install ${requirements}:\n${output}`);
}

const works = async (folder: string): Promise<boolean> =>
  existsSync(programIn(folder)) &&
  (await run([programIn(folder), "-c", "import pytest"])).code === 0;

const programIn = (folder: string): string =>
  process.platform === "win32"
    ? join(folder, "Scripts", "python.exe")
    : join(folder, "bin", "python");

function run([program = "", ...args]: string[]): Promise<{
  code: number;
  output: string;
}> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    child.stdout.on("data", (chunk) => (output += String(chunk)));
    child.stderr.on("data", (chunk) => (output += String(chunk)));
    child.once("error", (error) => resolve({ code: 1, output: error.message }));
    child.once("close", (code) => resolve({ code: code ?? 1, output }));
  });
}
