import { isObject } from "../lib/json.ts";

/** Longer ones are read from the rows: few, and searched by still fewer. */
const MAX_ENTRY = 256;

/**
 * What of a metadata document an index can answer for: its short top-level
 * members that are scalars, each as JSON text such as `"team":"blue"`. A
 * document contains an entry exactly when the entry is in its list.
 *
 * NOTE: takes the text that is stored, not what was said: text and needle
 * have had the same done to them (NUL, `undefined`, -0, equal names), and the
 * numbers in both are as JavaScript writes them.
 */
export function metadataEntries(text: string): string[] {
  return Object.entries(JSON.parse(text) as object)
    .filter(([, value]) => !isObject(value) && !Array.isArray(value))
    .map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`)
    .filter((entry) => entry.length <= MAX_ENTRY);
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
