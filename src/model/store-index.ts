import { createHash } from "node:crypto";

/** `store.index` of langgraph.json: how items are found by what they mean. */
export interface StoreIndex {
  /** As it is written: `provider:model`, or `path:export`. */
  embed: string;
  /** Numbers in a vector. */
  dims: number;
  /** Paths of what is embedded of an item that says nothing itself (model/text-paths.ts). */
  fields: readonly string[];
}

/**
 * Names what vectors were made by. Those with another name say nothing about
 * this index: their items are embedded again.
 */
export function indexName({ embed, dims, fields }: StoreIndex): string {
  const text = JSON.stringify([embed, dims, [...fields].sort()]);
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}

/** What a put says of it: nothing, not to embed its item, or which paths of it. */
export type ItemIndex = false | readonly string[] | null | undefined;

/** Which paths of an item are embedded. */
export const embeddedPaths = (
  asked: ItemIndex,
  { fields }: StoreIndex,
): readonly string[] => (asked === false ? [] : (asked ?? fields));
