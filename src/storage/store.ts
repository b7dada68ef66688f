import type { JsonObject } from "../lib/json.ts";
import type { AccessFilter } from "../model/access.ts";
import type { ItemIndex } from "../model/store-index.ts";
import type { StoreAddress } from "../model/store-item.ts";
import type { StoreItem } from "../protocol/store-frames.ts";
import { first, type Queryable } from "./database.ts";
import { EMPTY, json, raw, sql, type Sql } from "./sql.ts";
import { visibleItem } from "./store-access.ts";

/*
 * Namespaces are stored as their labels joined with '.', so that whatever is
 * under one is a range of the primary key. An item whose time is over is as
 * good as deleted for every reader; the row goes later.
 */

/** An item with what is needed to extend its life. */
export interface StoreRow extends StoreItem {
  /** Null: it lives for ever. */
  ttl_minutes: number | null;
}

export const STORE_COLUMNS = raw(
  "namespace, key, value, created_at, updated_at, ttl_minutes",
);

const SEPARATOR = ".";

export type RawStoreRow = Omit<StoreRow, "namespace"> & { namespace: string };

export async function getStoreItem(
  db: Queryable,
  at: StoreAddress,
  access: AccessFilter,
): Promise<StoreRow | null> {
  const row = await first<RawStoreRow>(
    db,
    sql`
      select ${STORE_COLUMNS} from store_items
      where ${addressed(at)} and ${alive(db)} and ${visibleItem(db.dialect, access)}`,
  );
  return row === null ? null : decoded(row);
}

export interface StoreWrite extends StoreAddress {
  value: JsonObject;
  ttl_minutes: number | null;
  /** What its vectors are made by; without it, they are to be made. */
  indexed_as?: string | null;
  index_paths?: ItemIndex;
}

/**
 * Replaces the value; `created_at` stays that of the first put. `ttl_minutes`
 * null: it lives for ever. "hidden": the caller may not see the item that is
 * there, and nothing was stored.
 */
export async function putStoreItem(
  tx: Queryable,
  item: StoreWrite,
  access: AccessFilter,
): Promise<"stored" | "hidden"> {
  const { now, plusMinutes } = tx.dialect;
  const rows = await tx.query(sql`
    insert into store_items (
      namespace, key, value, created_at, updated_at, ttl_minutes, expires_at,
      indexed_as, index_paths)
    values (
      ${joined(item.namespace)}, ${item.key}, ${json(item.value)}, ${now}, ${now},
      ${item.ttl_minutes}, ${plusMinutes(now, sql`${item.ttl_minutes}`)},
      ${item.indexed_as ?? null}, ${item.index_paths == null ? null : json(item.index_paths)})
    on conflict (namespace, key) do update set
      value = excluded.value,
      created_at = case
        when store_items.expires_at <= excluded.updated_at then excluded.created_at
        else store_items.created_at
      end,
      updated_at = excluded.updated_at,
      ttl_minutes = excluded.ttl_minutes,
      expires_at = excluded.expires_at,
      indexed_as = excluded.indexed_as,
      index_paths = excluded.index_paths
    ${replaceable(tx, access)}
    returning key`);
  return rows.length > 0 ? "stored" : "hidden";
}

/** Whose time is over is there for nobody, so it hides nothing either. */
const replaceable = (tx: Queryable, access: AccessFilter): Sql =>
  access === null
    ? EMPTY
    : sql`where store_items.expires_at <= excluded.updated_at
        or (${visibleItem(tx.dialect, access)})`;

/** Answers whether there was one that the caller may see. */
export async function deleteStoreItem(
  tx: Queryable,
  at: StoreAddress,
  access: AccessFilter,
): Promise<boolean> {
  const rows = await tx.query(sql`
    delete from store_items
    where ${addressed(at)} and ${visibleItem(tx.dialect, access)}
    returning key`);
  return rows.length > 0;
}

/** The item's time starts again, as it does when somebody reads it. */
export async function refreshStoreItem(
  tx: Queryable,
  at: StoreAddress,
): Promise<void> {
  const { now, plusMinutes } = tx.dialect;
  await tx.query(sql`
    update store_items set expires_at = ${plusMinutes(now, raw("ttl_minutes"))}
    where ${addressed(at)} and ttl_minutes is not null and ${alive(tx)}`);
}

/** Deletes items whose time is over, at most `limit`. Answers how many. */
export async function deleteExpiredStoreItems(
  tx: Queryable,
  limit: number,
): Promise<number> {
  const rows = await tx.query(sql`
    delete from store_items
    where (namespace, key) in (
      select namespace, key from store_items
      where expires_at <= ${tx.dialect.now}
      order by expires_at
      limit ${limit})
    returning key`);
  return rows.length;
}

export const addressed = ({ namespace, key }: StoreAddress): Sql =>
  sql`namespace = ${joined(namespace)} and key = ${key}`;

export const alive = ({ dialect }: Queryable): Sql =>
  sql`(expires_at is null or expires_at > ${dialect.now})`;

/**
 * The namespace itself and what is under it. The first two make a range of
 * the key; in it are also names like `a-b` for `a`, which the third leaves
 * out. '/' is the character after '.'.
 */
export function under(prefix: readonly string[]): Sql[] {
  if (prefix.length === 0) return [];
  const name = joined(prefix);
  return [
    sql`namespace >= ${name}`,
    sql`namespace < ${`${name}/`}`,
    sql`(namespace = ${name} or namespace >= ${name + SEPARATOR})`,
  ];
}

export const joined = (labels: readonly string[]): string =>
  labels.join(SEPARATOR);

export const split = (namespace: string): string[] =>
  namespace.split(SEPARATOR);

export const decoded = (row: RawStoreRow): StoreRow => ({
  ...row,
  namespace: split(row.namespace),
});
