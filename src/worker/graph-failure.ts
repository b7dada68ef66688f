import { readFile } from "node:fs/promises";
import { dirname, isAbsolute, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";
import { codeFrameColumns } from "@babel/code-frame";
import type { GraphFailure } from "../protocol/graph-frames.ts";
import { runError } from "./run-error.ts";

/** Where in a source file. `line` and `column` count from 1. */
interface Place {
  file: string;
  line: number | null;
  column: number | null;
}

/** What we know of a failure besides the error: the project, and the file that was to be loaded. */
interface Subject {
  root: string;
  file: string;
}

/** Why a graph did not load, with the place in the user's source when it can be found. */
export async function describeFailure(
  cause: unknown,
  subject: Subject,
): Promise<GraphFailure> {
  const { error: name, message } = runError(cause);
  const text = stripVTControlCharacters(message);
  const stack = cause instanceof Error ? (cause.stack ?? "") : "";
  // A reason without a place is better than none.
  const place = await findPlace(text, stack, subject.root).catch(() => null);
  return {
    name: isSyntaxError(text) ? "SyntaxError" : name,
    message: shorten(text, subject.root),
    file: projectPath(place?.file ?? subject.file, subject.root),
    line: place?.line ?? null,
    column: place?.column ?? null,
    frame: place === null ? null : await codeFrame(place),
  };
}

const findPlace = async (message: string, stack: string, root: string) =>
  (await syntaxErrorPlace(message)) ??
  (await failedImportPlace(message)) ??
  missingNamePlace(stack) ??
  thrownPlace(stack, root);

const PARSE_FAILURE = /^Failed to (?:parse|transform) (.+?\.\w+): (.*)$/s;

const isSyntaxError = (message: string): boolean => PARSE_FAILURE.test(message);

/** The loader says which file but not where in it, so TypeScript's parser is asked. */
async function syntaxErrorPlace(message: string): Promise<Place | null> {
  const match = PARSE_FAILURE.exec(message);
  if (match === null) return null;
  const file = pathOf(match[1] ?? "");
  const text = await sourceOf(file);
  if (text === null) return { file, line: null, column: null };
  const { default: typescript } = await import("typescript");
  const { diagnostics } = typescript.transpileModule(text, {
    fileName: file.replace(/\.cts$/, ".ts"), // as in typescript-source.ts
    reportDiagnostics: true,
    compilerOptions: { allowJs: true, jsx: typescript.JsxEmit.Preserve },
  });
  const start = diagnostics?.find(({ start }) => start !== undefined)?.start;
  return start === undefined
    ? { file, line: null, column: null }
    : { file, ...positionOf(text, start) };
}

const UNRESOLVED =
  /^Cannot find (?:package|module) '(.+?)'.* imported from (.+)$/m;

/** Node says which file imports the missing one, not where. */
async function failedImportPlace(message: string): Promise<Place | null> {
  const match = UNRESOLVED.exec(message);
  if (match === null) return null;
  const wanted = match[1] ?? "";
  const file = pathOf(match[2] ?? "");
  const text = await sourceOf(file);
  if (text === null) return null;
  const { default: typescript } = await import("typescript");
  const found = typescript
    .preProcessFile(text, true, true)
    .importedFiles.find(({ fileName }) => names(fileName, wanted, file));
  return found === undefined
    ? { file, line: null, column: null }
    : { file, ...positionOf(text, found.pos) };
}

function names(specifier: string, wanted: string, importer: string): boolean {
  if (specifier.startsWith(".") || isAbsolute(specifier))
    return resolve(dirname(importer), specifier) === wanted;
  return specifier === wanted || specifier.startsWith(`${wanted}/`);
}

/** An import of a name that a module does not have: the stack begins with the line and a marker under it. */
function missingNamePlace(stack: string): Place | null {
  const match = /^(\S.*):(\d+)\n.*\n( *)\^/.exec(stack);
  if (match === null) return null;
  const [, path = "", line, indent = ""] = match;
  return {
    file: pathOf(path),
    line: Number(line),
    column: indent.length + 1,
  };
}

/** The first frame of the stack that lies in the project and in no package. */
function thrownPlace(stack: string, root: string): Place | null {
  for (const frame of stack.split("\n")) {
    const match =
      /^\s+at (?:.*? \()?((?:file:\/\/|\/|[A-Za-z]:\\).*?):(\d+):(\d+)\)?$/.exec(
        frame,
      );
    if (match === null) continue;
    const file = pathOf(match[1] ?? "");
    if (!isOfProject(file, root)) continue;
    return { file, line: Number(match[2]), column: Number(match[3]) };
  }
  return null;
}

function isOfProject(file: string, root: string): boolean {
  const path = relative(root, file);
  return (
    !path.startsWith("..") &&
    !isAbsolute(path) &&
    !path.split(sep).includes("node_modules")
  );
}

async function codeFrame({
  file,
  line,
  column,
}: Place): Promise<string | null> {
  const text = await sourceOf(file);
  if (text === null || line === null) return null;
  const start = column === null ? { line } : { line, column };
  return codeFrameColumns(text, { start }, { highlightCode: false });
}

/** Without the list of modules that Node appends, and with paths as the user knows them. */
function shorten(message: string, root: string): string {
  const match = PARSE_FAILURE.exec(message);
  const text = match?.[2] ?? message.split("\nRequire stack:", 1)[0] ?? message;
  return text.replaceAll(`file://${root}/`, "").replaceAll(`${root}${sep}`, "");
}

function positionOf(text: string, offset: number) {
  const before = text.slice(0, offset);
  const line = before.split("\n").length;
  return { line, column: offset - before.lastIndexOf("\n") };
}

const pathOf = (place: string): string =>
  place.startsWith("file:") ? fileURLToPath(place) : place;

const projectPath = (file: string, root: string): string =>
  relative(root, file).split(sep).join("/");

const sourceOf = (file: string): Promise<string | null> =>
  readFile(file, "utf8").catch(() => null);
