import type { AccessFilter } from "../model/access.ts";
import type { Database } from "../storage/database.ts";
import { semanticSearch } from "../storage/semantic-search.ts";
import { searchStoreItems, type StoreSearch } from "../storage/store-search.ts";
import type { StoreRow } from "../storage/store.ts";
import type { Embedder } from "./embedder.ts";

export type ItemQuery = StoreSearch & { query?: string | undefined };

/** By what they mean where there is a query and an index, else those changed last first. */
export async function findItems(
  { database, embedder }: { database: Database; embedder: Embedder | null },
  { query, ...search }: ItemQuery,
  access: AccessFilter,
): Promise<StoreRow[]> {
  if (embedder === null || query === undefined || query === "")
    return searchStoreItems(database, search, access);
  const vector = await embedder.ofQuery(query);
  if (vector === null) {
    const rows = await searchStoreItems(database, search, access);
    return rows.map((row) => ({ ...row, score: null }));
  }
  const { indexName: index_name } = embedder;
  return semanticSearch(database, { ...search, index_name, vector }, access);
}
