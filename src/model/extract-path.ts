import { isObject, type Json } from "../lib/json.ts";

/**
 * Where a value is inside of a thread: `values.messages[-1].content`. A path
 * starts with one of the roots; then come members after a dot, and indexes in
 * brackets, negative ones from the end.
 */
export const EXTRACT_ROOTS = [
  "values",
  "metadata",
  "config",
  "interrupts",
] as const;
export type ExtractRoot = (typeof EXTRACT_ROOTS)[number];

export interface ExtractPath {
  root: ExtractRoot;
  steps: readonly (string | number)[];
}

const STEP = /\.(?<member>[^.[\]]+)|\[(?<index>-?\d{1,9})\]/y;

/** Null when the text is no path. */
export function parseExtractPath(text: string): ExtractPath | null {
  const name = /^[a-z]+/.exec(text)?.[0] ?? "";
  const root = EXTRACT_ROOTS.find((known) => known === name);
  if (root === undefined) return null;
  const steps: (string | number)[] = [];
  STEP.lastIndex = name.length;
  while (STEP.lastIndex < text.length) {
    const groups = STEP.exec(text)?.groups;
    if (groups === undefined) return null; // a failed match sets lastIndex to 0
    steps.push(groups["member"] ?? Number(groups["index"]));
  }
  return { root, steps };
}

/** What is at the path, or null. */
export function extractAt(value: Json, path: ExtractPath): Json {
  return path.steps.reduce(stepInto, value);
}

function stepInto(value: Json, step: string | number): Json {
  if (typeof step === "number")
    return Array.isArray(value) ? (value.at(step) ?? null) : null;
  return isObject(value) && Object.hasOwn(value, step)
    ? (value[step] as Json)
    : null;
}
