/** Anything that JSON can say. */
export type Json =
  string | number | boolean | null | Json[] | { [key: string]: Json };

export type JsonObject = { [key: string]: Json };

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * Containment as Postgres `@>` has it: every key of `needle` must be in
 * `value`, objects compare recursively, an array contains another when each
 * element of the other is contained in one of its own, scalars are equal.
 */
export function jsonContains(value: unknown, needle: unknown): boolean {
  if (Array.isArray(needle)) {
    return (
      Array.isArray(value) &&
      needle.every((wanted) =>
        value.some((element) => jsonContains(element, wanted)),
      )
    );
  }
  if (isObject(needle)) {
    return (
      isObject(value) &&
      Object.entries(needle).every(
        ([key, wanted]) =>
          Object.hasOwn(value, key) && jsonContains(value[key], wanted),
      )
    );
  }
  return value === needle;
}
