import { isObject } from "../lib/json.ts";
import type { ThreadStatus } from "../model/thread.ts";

/** In bytes. Longer ones are read from the rows: few, and searched by still fewer. */
const MAX_ENTRY = 256;

/** A document with more of them than this is not indexed. */
const MAX_ENTRIES = 256;

/** The one entry of such a document. While there is one, only the documents themselves can tell what matches. */
export const TOO_MANY = "*";

/**
 * What of a metadata document an index can answer for: its short top-level
 * members that are scalars, each as JSON text such as `"team":"blue"`. A
 * document contains an entry exactly when the entry is in its list, unless
 * that is TOO_MANY.
 *
 * NOTE: takes the text that is stored, not what was said: text and needle
 * have had the same done to them (NUL, `undefined`, -0, equal names), and the
 * numbers in both are as JavaScript writes them.
 */
export function metadataEntries(text: string): string[] {
  const entries = Object.entries(JSON.parse(text) as object)
    .filter(([, value]) => isIndexed(value))
    .map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`)
    .filter((entry) => Buffer.byteLength(entry) <= MAX_ENTRY);
  return entries.length > MAX_ENTRIES ? [TOO_MANY] : entries;
}

/** A thread is stopped that waits for somebody to look at it. How many are, with which entry, is kept. */
export const STOPPED = ["interrupted", "error"] as const;
type Stopped = (typeof STOPPED)[number];

export const isStopped = (
  status: ThreadStatus | undefined,
): status is Stopped => STOPPED.some((one) => one === status);

/** The entry of threads that have both: it has a total as an entry by itself has, and no threads. */
export const stoppedEntry = (status: Stopped, entry: string): string =>
  `${status} ${entry}`;

/** Scalars that every engine writes alike; it may have its own way with fractions and exponents. */
function isIndexed(value: unknown): boolean {
  if (typeof value === "number")
    return Number.isInteger(value) && Math.abs(value) < 1e15;
  return !isObject(value) && !Array.isArray(value);
}

/** For SQL: a JSON array of the entries of `text` that `other` does not have. The statements of a trigger ask for the same one after the other. */
export function entriesReader(): (text: string, other: string) => string {
  let last = { text: "{}", other: "{}" };
  let entries = "[]";
  return (text, other) => {
    if (text === last.text && other === last.other) return entries;
    const known = new Set(other === "{}" ? [] : metadataEntries(other));
    entries = JSON.stringify(
      metadataEntries(text).filter((entry) => !known.has(entry)),
    );
    last = { text, other };
    return entries;
  };
}
