import type { JsonObject } from "../lib/json.ts";
import type { AccessFilter } from "../model/access.ts";
import { matchesFilter } from "../model/store-item.ts";
import type { Database } from "./database.ts";
import {
  countStoreVectors,
  nearestStoreItems,
  type LikenessSearch,
  type ScoredRow,
} from "./store-vectors.ts";

export interface SemanticSearch extends LikenessSearch {
  filter?: JsonObject | undefined;
  limit: number;
  offset: number;
}

/** Enough for a page where the filter and the access let through what is near, and items have a few vectors each. */
const FIRST_NEAREST = 40;

/** How many more are looked at when too few of them were left. */
const GROWTH = 16;

/**
 * The most alike first. Only vectors are compared with each other; filter and
 * access are asked of the nearest, and of more of them until the page is full.
 */
export async function semanticSearch(
  db: Database,
  search: SemanticSearch,
  access: AccessFilter,
): Promise<ScoredRow[]> {
  const { filter = {}, limit, offset } = search;
  let nearest = FIRST_NEAREST + 4 * (offset + limit);
  let all: number | null = null;
  for (;;) {
    const rows = await nearestStoreItems(db, search, { nearest, access });
    const found = rows.filter(({ value }) => matchesFilter(value, filter));
    if (found.length >= offset + limit)
      return found.slice(offset, offset + limit);
    all ??= await countStoreVectors(db, search);
    if (nearest >= all) return found.slice(offset);
    nearest = Math.min(nearest * GROWTH, all);
  }
}
