import type { AccessFilter } from "../model/access.ts";
import type { StoreAddress } from "../model/store-item.ts";
import type { Database, Queryable } from "./database.ts";
import { and, sql } from "./sql.ts";
import { visibleItem } from "./store-access.ts";
import {
  addressed,
  alive,
  decoded,
  joined,
  putStoreItem,
  STORE_COLUMNS,
  under,
  type RawStoreRow,
  type StoreRow,
  type StoreWrite,
} from "./store.ts";

/** What was made of the texts of an item. */
export interface ItemVectors {
  /** `indexName` of what made them. */
  index_name: string;
  /** 32-bit floats, of unit length. */
  vectors: readonly Uint8Array[];
}

/** Null: nothing is indexed, and what the item had before says nothing of it any more. */
export async function putWithVectors(
  tx: Queryable,
  { item, vectors }: { item: StoreWrite; vectors: ItemVectors | null },
  access: AccessFilter,
): Promise<"stored" | "hidden"> {
  const indexed_as = vectors?.index_name ?? null;
  const outcome = await putStoreItem(tx, { ...item, indexed_as }, access);
  if (outcome === "stored" && vectors !== null)
    await replaceStoreVectors(tx, item, vectors);
  return outcome;
}

/** In place of those that the item had. */
export async function replaceStoreVectors(
  tx: Queryable,
  { namespace, key }: StoreAddress,
  { index_name, vectors }: ItemVectors,
): Promise<void> {
  await tx.query(
    sql`delete from store_vectors where ${addressed({ namespace, key })}`,
  );
  for (const [n, vector] of vectors.entries())
    await tx.query(sql`
      insert into store_vectors (namespace, key, n, index_name, vector)
      values (
        ${joined(namespace)}, ${key}, ${n}, ${index_name},
        ${tx.dialect.vector(vector)})`);
}

export interface LikenessSearch {
  index_name: string;
  vector: Uint8Array;
  /** Empty: every namespace. */
  namespace_prefix: readonly string[];
}

export interface ScoredRow extends StoreRow {
  /** From -1 to 1: the cosine of the angle to what is looked for. */
  score: number;
}

/**
 * The items whose vectors are among the `nearest` to the query, each once with
 * its best one, the best first. Those that the caller may not see are left out.
 */
export async function nearestStoreItems(
  db: Database,
  { index_name, vector, namespace_prefix }: LikenessSearch,
  { nearest, access }: { nearest: number; access: AccessFilter },
): Promise<ScoredRow[]> {
  const { dialect } = db;
  const within = under(namespace_prefix);
  const wanted = { index_name, vector, limit: nearest, within };
  const source = dialect.nearestVectors(wanted);
  const rows = await db.queryAside<RawStoreRow & { score: number }>(sql`
    select ${STORE_COLUMNS}, max(likeness) as score
    from ${source} join store_items on namespace = near_namespace and key = near_key
    where indexed_as = ${index_name} and ${alive(db)} and ${visibleItem(dialect, access)}
    group by namespace, key
    order by score desc, namespace, key`);
  return rows.map((row) => ({ ...decoded(row), score: row.score }));
}

export async function countStoreVectors(
  db: Database,
  { index_name, namespace_prefix }: Omit<LikenessSearch, "vector">,
): Promise<number> {
  const [row] = await db.queryAside<{ count: number }>(sql`
    select count(*) as count from store_vectors
    where ${and([sql`index_name = ${index_name}`, ...under(namespace_prefix)])}`);
  return row?.count ?? 0;
}
