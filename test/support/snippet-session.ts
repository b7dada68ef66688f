/**
 * Runs the snippets of a page that are of one language as one program, as a
 * reader would who goes down the page: variables of one are there for the next.
 */
import { spawn } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import ts from "typescript";
import {
  ROOT,
  type ProjectFile,
  type Session,
  type Snippet,
} from "./snippets.ts";

/** What the guides print; the one thing in a snippet that a test replaces. */
export const PRINTED_URL = "http://localhost:2024";

const TIMEOUT_MS = 60_000;

/** No guide prints such a line; what comes after the nth is the output of the nth snippet. */
const marker = (index: number): string => `--- snippet ${index} ---`;
const MARKERS = /^--- snippet \d+ ---\n/m;

export interface SessionParams {
  session: Session;
  snippets: Snippet[];
  url: string;
  /** The program of `python`. */
  python: string;
}

/** What each snippet printed, in their order. Throws when one of them fails. */
export async function runSession(params: SessionParams): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), "spool-guide-"));
  try {
    linkPackages(folder);
    // A request that is refused must not look like one that worked.
    writeFileSync(join(folder, ".curlrc"), "fail-with-body\n");
    const output = await run(commandOf(params, folder), folder);
    return output.replaceAll(params.url, PRINTED_URL).split(MARKERS).slice(1);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Makes the files that a page asks its reader to make; gives their folder. */
export function makeProject(files: ProjectFile[]): string {
  const folder = mkdtempSync(join(tmpdir(), "spool-guide-project-"));
  linkPackages(folder);
  for (const { path, text } of files) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}

/** As after `npm install`. */
const linkPackages = (folder: string): void =>
  symlinkSync(
    join(ROOT, "node_modules"),
    join(folder, "node_modules"),
    "junction",
  );

const PRINT_MARKER: Record<Session, (text: string) => string> = {
  // In front of it a line break, for what curl printed may have none at its end.
  sh: (text) => `printf '\\n%s\\n' '${text}'`,
  js: (text) => `console.log(${JSON.stringify(text)});`,
  python: (text) => `print(${JSON.stringify(text)}, flush=True)`,
};

function commandOf(
  { session, snippets, url, python }: SessionParams,
  folder: string,
): string[] {
  const program = snippets
    .flatMap(({ text }, index) => [PRINT_MARKER[session](marker(index)), text])
    .join("\n")
    .replaceAll(PRINTED_URL, url);
  switch (session) {
    case "sh":
      return ["bash", "-e", "-o", "pipefail", "-c", program];
    case "python":
      return [python, "-c", program];
    case "js":
      writeFileSync(join(folder, "guide.mjs"), withoutTypes(program));
      return [process.execPath, "guide.mjs"];
  }
}

const withoutTypes = (program: string): string =>
  ts.transpileModule(program, {
    compilerOptions: {
      module: ts.ModuleKind.ESNext,
      target: ts.ScriptTarget.ES2023,
    },
  }).outputText;

function run(
  [program = "", ...args]: string[],
  folder: string,
): Promise<string> {
  const child = spawn(program, args, {
    cwd: folder,
    env: { ...process.env, CURL_HOME: folder, PYTHONUTF8: "1" },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: TIMEOUT_MS,
  });
  let output = "";
  let errors = "";
  child.stdout.setEncoding("utf8").on("data", (text) => (output += text));
  child.stderr.setEncoding("utf8").on("data", (text) => (errors += text));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      if (code === 0) resolve(output);
      else
        reject(
          new Error(
            `${program} ended with ${code ?? signal}:\n${output}\n${errors}`,
          ),
        );
    });
  });
}
