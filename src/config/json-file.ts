import { readFileSync } from "node:fs";
import { ConfigError } from "./config-error.ts";

/** Reads and parses a JSON file; the error names line and column. `shown` is how messages call the file. */
export function readJsonFile(path: string, shown: string): unknown {
  const text = readFileSync(path, "utf8").replace(/^\uFEFF/, "");
  try {
    return JSON.parse(text);
  } catch (cause) {
    const { line, column } = placeOf(errorOffset(text), text);
    throw new ConfigError(
      `${shown}:${line}:${column}: not valid JSON: ${reason(cause)}`,
      { cause },
    );
  }
}

/**
 * Where parsing stops. V8 says the position for some errors only, and words
 * them differently from version to version, so the rest is found by search:
 * the longest prefix that is merely unfinished ends before the error.
 */
function errorOffset(text: string): number {
  const message = parseFailure(text);
  const position = / at position (\d+)/.exec(message);
  if (position !== null) return Number(position[1]);
  if (!isUnexpectedToken(message)) return text.length;
  let unfinished = 0;
  let broken = text.length;
  while (broken - unfinished > 1) {
    const middle = (unfinished + broken) >> 1;
    if (isUnexpectedToken(parseFailure(text.slice(0, middle)))) broken = middle;
    else unfinished = middle;
  }
  return broken - 1;
}

const isUnexpectedToken = (message: string): boolean =>
  message.startsWith("Unexpected token");

function parseFailure(text: string): string {
  try {
    JSON.parse(text);
    return "";
  } catch (cause) {
    return (cause as SyntaxError).message;
  }
}

function placeOf(
  offset: number,
  text: string,
): { line: number; column: number } {
  const before = text.slice(0, offset).split("\n");
  return {
    line: before.length,
    column: (before.at(-1)?.length ?? 0) + 1,
  };
}

/** V8's own words, without the snippet of source and the position that we tell better. */
function reason(cause: unknown): string {
  return (cause as SyntaxError).message
    .replace(/, \.{0,3}".*is not valid JSON$/s, "")
    .replace(/ in JSON at position.*$/, "")
    .replace(/^./, (letter) => letter.toLowerCase());
}
