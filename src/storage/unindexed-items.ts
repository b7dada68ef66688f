import type { ItemIndex } from "../model/store-index.ts";
import type { StoreAddress } from "../model/store-item.ts";
import type { Database, Queryable } from "./database.ts";
import { and, sql, type Sql } from "./sql.ts";
import {
  addressed,
  alive,
  decoded,
  joined,
  STORE_COLUMNS,
  type RawStoreRow,
  type StoreRow,
} from "./store.ts";

/** An item whose vectors are not there, or were made by something else. */
export interface UnindexedItem extends StoreRow {
  index_paths: ItemIndex;
}

/** In the order of their addresses, those behind `after`. */
export async function listUnindexedItems(
  db: Database,
  index_name: string,
  { after, limit }: { after: StoreAddress | null; limit: number },
): Promise<UnindexedItem[]> {
  const conditions = [unindexed(index_name), alive(db)];
  if (after !== null)
    conditions.push(
      sql`(namespace, key) > (${joined(after.namespace)}, ${after.key})`,
    );
  const rows = await db.queryAside<
    RawStoreRow & Pick<UnindexedItem, "index_paths">
  >(sql`
    select ${STORE_COLUMNS}, index_paths from store_items
    where ${and(conditions)}
    order by namespace, key
    limit ${limit}`);
  return rows.map((row) => ({ ...decoded(row), index_paths: row.index_paths }));
}

export async function countUnindexedItems(
  db: Database,
  index_name: string,
): Promise<number> {
  const [row] = await db.queryAside<{ count: number }>(sql`
    select count(*) as count from store_items
    where ${unindexed(index_name)} and ${alive(db)}`);
  return row?.count ?? 0;
}

/** False when the item is not as it was read any more: whoever has changed it has seen to its vectors. */
export async function markIndexed(
  tx: Queryable,
  { namespace, key, updated_at }: StoreRow,
  index_name: string,
): Promise<boolean> {
  const rows = await tx.query(sql`
    update store_items set indexed_as = ${index_name}
    where ${addressed({ namespace, key })} and ${unindexed(index_name)}
      and updated_at = ${new Date(updated_at)}
    returning key`);
  return rows.length > 0;
}

const unindexed = (index_name: string): Sql =>
  sql`(indexed_as is null or indexed_as <> ${index_name})`;
