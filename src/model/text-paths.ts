import type { Json } from "../lib/json.ts";

/*
 * Which texts of a store item are embedded: paths like `text`, `a.b`,
 * `chapters[*].title`, `tags[-1]`, `*`, `{title,meta.summary}`. `$` is the
 * whole value, and may begin a longer path, as in `$.text`.
 */

/** Each text once. What is not there, or is empty, gives none. */
export function textsAt(value: Json, paths: readonly string[]): string[] {
  const found = paths.flatMap((path) => valuesAt(value, stepsOf(path)));
  return [...new Set(found.map(asText))].filter((text) => text !== "");
}

const STEP = /\[[^\]]*\]|\{[^}]*\}|[^.[{]+|[[{]/g;

/** Any text is a path; one that makes no sense finds nothing. */
function stepsOf(path: string): string[] {
  const steps = path.trim().match(STEP) ?? [];
  return steps[0] === "$" ? steps.slice(1) : steps;
}

const valuesAt = (value: Json, steps: readonly string[]): Json[] =>
  steps.reduce(
    (found, step) => found.flatMap((one) => inside(one, step)),
    [value],
  );

function inside(value: Json, step: string): Json[] {
  if (typeof value !== "object" || value === null) return [];
  if (step === "*" || step === "[*]") return Object.values(value);
  if (step.startsWith("{"))
    return step
      .slice(1, -1)
      .split(",")
      .flatMap((path) => valuesAt(value, stepsOf(path)));
  const name = Array.isArray(value) ? indexIn(value, step) : step;
  return Object.hasOwn(value, name)
    ? [(value as Record<string, Json>)[name] ?? null]
    : [];
}

/** Negative ones count from the end. */
function indexIn(list: readonly Json[], step: string): string {
  const index = Number(/^\[(-?\d+)\]$/.exec(step)?.[1]);
  return String(index < 0 ? list.length + index : index);
}

function asText(value: Json): string {
  if (value === null) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
