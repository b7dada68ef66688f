/** Tables and lists of the guides, for tests that compare them with the code. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./snippets.ts";

/** What is below a heading, up to the next one of any level. */
export function section(page: string, heading: string): string {
  const lines = readFileSync(join(ROOT, page), "utf8").split("\n");
  const start = lines.findIndex(
    (line) => /^#+ /.test(line) && line.replace(/^#+ /, "") === heading,
  );
  if (start < 0) throw new Error(`${page} has no heading "${heading}"`);
  const rest = lines.slice(start + 1);
  const end = rest.findIndex((line) => /^#+ /.test(line));
  return rest.slice(0, end < 0 ? rest.length : end).join("\n");
}

/** The cells of its tables, without their heads. */
export const rows = (text: string): string[][] =>
  text
    .split(/\n(?!\|)/)
    .flatMap((part) =>
      part
        .split("\n")
        .filter((line) => line.startsWith("|"))
        .slice(2),
    )
    .map((line) =>
      line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );

/** What stands in `code`. */
export const codes = (text: string): string[] =>
  [...text.matchAll(/`([^`]+)`/g)].map(([, code = ""]) => code);
