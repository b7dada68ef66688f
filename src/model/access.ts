import type { Json } from "../lib/json.ts";

/**
 * Which rows a caller may see, judged on the row's metadata. `null` is no
 * restriction. Every read and write of storage takes one, so that
 * authorization is a WHERE clause on every path and never an afterthought.
 *
 * Rules are ANDed: `{ owner: "ada" }` is equality, `{ tags: { $contains: "x" } }`
 * asks for an array that holds the value (or all of the values).
 */
export type AccessFilter = null | Readonly<Record<string, AccessRule>>;

export type AccessRule =
  | string
  | number
  | boolean
  | null
  | { $eq: Json }
  | { $contains: Json | Json[] };

export const UNRESTRICTED: AccessFilter = null;

/** The filter as one JSON document that the metadata must contain. */
export function accessPattern(
  filter: NonNullable<AccessFilter>,
): Record<string, Json> {
  const pattern: Record<string, Json> = {};
  for (const [key, rule] of Object.entries(filter)) {
    if (typeof rule !== "object" || rule === null) pattern[key] = rule;
    else if ("$eq" in rule) pattern[key] = rule.$eq;
    else
      pattern[key] = Array.isArray(rule.$contains)
        ? rule.$contains
        : [rule.$contains];
  }
  return pattern;
}
