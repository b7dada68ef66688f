/**
 * The fenced blocks of the guides. The rule that they follow is in
 * docs/STYLE.md; a block that follows none of it is an error here, so that
 * nothing is left untested in silence.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

export const SESSIONS = ["sh", "js", "python"] as const;
export type Session = (typeof SESSIONS)[number];

interface Place {
  /** Relative to the project, with `/`. */
  page: string;
  /** Of its opening fence, from 1. */
  line: number;
  text: string;
}

/** Code that is run, in the order of the page, with all others of its session. */
export interface Snippet extends Place {
  session: Session;
  language: string;
  /** What it prints; null when the page does not say. */
  output: Output | null;
}

export interface Output extends Place {
  format: "json" | "text";
}

/** A file of the project that the page has the reader make. */
export interface ProjectFile extends Place {
  path: string;
}

export interface Page {
  page: string;
  snippets: Snippet[];
  files: ProjectFile[];
  /** What is printed of a file of this repository. */
  excerpts: ProjectFile[];
  /** What the page has the reader serve, when it is not the default example: a folder of this repository. */
  example: string | null;
  /** What belongs to no snippet: examples of files, diagrams, commands that are shown only. */
  shown: (Place & { language: string })[];
}

/** README.md and docs/*.md. */
export function guidePages(): string[] {
  const docs = readdirSync(join(ROOT, "docs"))
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`);
  return ["README.md", ...docs.sort()];
}

export const readPage = (page: string): Page =>
  parsePage(page, readFileSync(join(ROOT, page), "utf8"));

const SESSION_OF: Record<string, Session> = {
  sh: "sh",
  js: "js",
  ts: "js",
  python: "python",
};
const SHOWN = ["json", "text", "console"];

/** In the command that starts the server of a page. */
const EXAMPLE = /^npm start -- --config (examples\/\S+)$/m;

export function parsePage(page: string, markdown: string): Page {
  const result: Page = {
    ...{ page, snippets: [], files: [], shown: [] },
    ...{ excerpts: [], example: null },
  };
  /** The last snippet of each session since a heading or an output: the next output is theirs. */
  const waiting = new Map<Session, Snippet>();
  for (const part of partsOf(page, markdown)) {
    if (part.kind === "heading") {
      waiting.clear();
      continue;
    }
    const { language, path, ...place } = part;
    const session = SESSION_OF[language];
    if (path.startsWith("examples/")) result.excerpts.push({ ...place, path });
    else if (path !== "") result.files.push({ ...place, path });
    else if (session !== undefined) {
      const snippet = { ...place, session, language, output: null };
      result.snippets.push(snippet);
      waiting.set(session, snippet);
    } else if (!SHOWN.includes(language))
      throw misfit(place, `a block in "${language}"`);
    else if (language !== "console" && waiting.size > 0) {
      const output = { ...place, format: language as Output["format"] };
      for (const snippet of waiting.values()) snippet.output = output;
      waiting.clear();
    } else {
      if (language === "console")
        result.example ??= EXAMPLE.exec(place.text)?.[1] ?? null;
      result.shown.push({ ...place, language });
    }
  }
  return result;
}

type Part =
  | { kind: "heading" }
  | ({ kind: "block"; language: string; path: string } & Place);

function* partsOf(page: string, markdown: string): Generator<Part> {
  const lines = markdown.split("\n");
  for (let index = 0; index < lines.length; index++) {
    const line = lines[index] ?? "";
    const place = { page, line: index + 1, text: "" };
    if (/^#{1,6} /.test(line)) yield { kind: "heading" };
    // Markdown takes these for code as well, and says nothing of what is in them.
    if (/^( {4}|\t)\S/.test(line) && isAfterBlank(lines, index))
      throw misfit(place, "an indented block");
    const fence = /^(\s*)(`{3,})(.*)$/.exec(line);
    if (fence === null) continue;
    const [, indent = "", ticks = "", info = ""] = fence;
    const end = lines.indexOf(indent + ticks, index + 1);
    if (end < 0) throw misfit(place, "a block that is not closed");
    const [language = "", path = ""] = info.trim().split(/\s+/);
    const text = lines.slice(index + 1, end).join("\n");
    yield { kind: "block", language, path, ...place, text: `${text}\n` };
    index = end;
  }
}

/** Further lines of a list item are indented too, and are no code; those follow a line of text. */
const isAfterBlank = (lines: string[], index: number): boolean =>
  (lines[index - 1] ?? "").trim() === "";

const misfit = ({ page, line }: Place, what: string): Error =>
  new Error(
    `${page}:${line}: ${what}; docs/STYLE.md says which blocks there are`,
  );

/** `markdown` with other text in some of its outputs. */
export function withOutputs(
  markdown: string,
  outputs: Map<Output, string>,
): string {
  const lines = markdown.split("\n");
  const downwards = [...outputs].sort(([a], [b]) => b.line - a.line);
  for (const [output, text] of downwards) {
    const old = output.text.split("\n").length - 1;
    lines.splice(output.line, old, ...text.trimEnd().split("\n"));
  }
  return lines.join("\n");
}
