/*
 * A page of a list: JSON text of a list with one entry for each element. The
 * entry is the hash under which the element is stored, or, when the element is
 * shorter than a hash, a list that holds the element itself: `["jA3…",[7],[8]]`.
 */

const decoder = new TextDecoder();

export type PageEntry = { hash: string } | { json: string };

export const pageText = (entries: readonly PageEntry[]): string =>
  `[${entries.map((entry) => ("hash" in entry ? `"${entry.hash}"` : `[${entry.json}]`)).join()}]`;

export function parsePage(data: Uint8Array): PageEntry[] {
  const entries = JSON.parse(decoder.decode(data)) as (string | [unknown])[];
  return entries.map((entry) =>
    typeof entry === "string"
      ? { hash: entry }
      : { json: JSON.stringify(entry[0]) },
  );
}

/** The stored values that the page needs. */
export const pageHashes = (data: Uint8Array): string[] =>
  (JSON.parse(decoder.decode(data)) as unknown[]).filter(
    (entry) => typeof entry === "string",
  );
