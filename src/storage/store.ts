import type { JsonObject } from "../lib/json.ts";
import { matchesFilter, matchesLabels } from "../model/store-item.ts";
import type { StoreItem } from "../protocol/store-frames.ts";
import { first, type Queryable } from "./database.ts";
import { and, json, raw, sql, type Sql } from "./sql.ts";

/*
 * Namespaces are stored as their labels joined with '.', so that whatever is
 * under one is a range of the primary key. An item whose time is over is as
 * good as deleted for every reader; the row goes later.
 */

export interface StoreAddress {
  namespace: readonly string[];
  key: string;
}

/** An item with what is needed to extend its life. */
export interface StoreRow extends StoreItem {
  /** Null: it lives for ever. */
  ttl_minutes: number | null;
}

const COLUMNS = raw(
  "namespace, key, value, created_at, updated_at, ttl_minutes",
);

const SEPARATOR = ".";

/** Rows read at a time when a condition cannot be put in SQL. */
const SCANNED_AT_ONCE = 500;

type RawRow = Omit<StoreRow, "namespace"> & { namespace: string };

export async function getStoreItem(
  db: Queryable,
  at: StoreAddress,
): Promise<StoreRow | null> {
  const row = await first<RawRow>(
    db,
    sql`select ${COLUMNS} from store_items where ${addressed(at)} and ${alive(db)}`,
  );
  return row === null ? null : decoded(row);
}

/** Replaces the value; `created_at` stays that of the first put. `ttl_minutes` null: it lives for ever. */
export async function putStoreItem(
  tx: Queryable,
  item: StoreAddress & { value: JsonObject; ttl_minutes: number | null },
): Promise<void> {
  const { now, plusMinutes } = tx.dialect;
  await tx.query(sql`
    insert into store_items (
      namespace, key, value, created_at, updated_at, ttl_minutes, expires_at)
    values (
      ${joined(item.namespace)}, ${item.key}, ${json(item.value)}, ${now}, ${now},
      ${item.ttl_minutes}, ${plusMinutes(now, sql`${item.ttl_minutes}`)})
    on conflict (namespace, key) do update set
      value = excluded.value,
      created_at = case
        when store_items.expires_at <= excluded.updated_at then excluded.created_at
        else store_items.created_at
      end,
      updated_at = excluded.updated_at,
      ttl_minutes = excluded.ttl_minutes,
      expires_at = excluded.expires_at`);
}

export async function deleteStoreItem(
  tx: Queryable,
  at: StoreAddress,
): Promise<void> {
  await tx.query(sql`delete from store_items where ${addressed(at)}`);
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

export interface StoreSearch {
  /** Empty: every namespace. */
  namespace_prefix: readonly string[];
  filter?: JsonObject;
  limit: number;
  offset: number;
}

/** Those changed last come first. */
export async function searchStoreItems(
  db: Queryable,
  search: StoreSearch,
): Promise<StoreRow[]> {
  const { filter, limit, offset } = search;
  if (filter === undefined || Object.keys(filter).length === 0)
    return listItems(db, search, { after: null, limit, offset });
  const found: StoreRow[] = [];
  for await (const row of scanItems(db, search)) {
    if (found.length >= offset + limit) break;
    if (matchesFilter(row.value, filter)) found.push(row);
  }
  return found.slice(offset, offset + limit);
}

async function* scanItems(
  db: Queryable,
  search: StoreSearch,
): AsyncGenerator<StoreRow> {
  const page = { limit: SCANNED_AT_ONCE, offset: 0 };
  let after: StoreRow | null = null;
  for (;;) {
    const rows: StoreRow[] = await listItems(db, search, { ...page, after });
    yield* rows;
    if (rows.length < SCANNED_AT_ONCE) return;
    after = rows.at(-1) ?? null;
  }
}

async function listItems(
  db: Queryable,
  search: StoreSearch,
  page: { after: StoreRow | null; limit: number; offset: number },
): Promise<StoreRow[]> {
  const conditions = [
    alive(db),
    ...under(search.namespace_prefix),
    ...equalities(db, search.filter),
  ];
  if (page.after !== null) conditions.push(behind(page.after));
  const rows = await db.query<RawRow>(sql`
    select ${COLUMNS} from store_items
    where ${and(conditions)}
    order by updated_at desc, namespace, key
    limit ${page.limit} offset ${page.offset}`);
  return rows.map(decoded);
}

function behind({ updated_at, namespace, key }: StoreRow): Sql {
  const at = new Date(updated_at);
  return sql`(updated_at < ${at}
    or (updated_at = ${at} and (namespace, key) > (${joined(namespace)}, ${key})))`;
}

/** The part of a filter that both engines can check: members that equal a number, a text or a truth value. */
function equalities(db: Queryable, filter: JsonObject = {}): Sql[] {
  const scalars = Object.entries(filter).filter(
    ([, wanted]) => typeof wanted !== "object",
  );
  return scalars.length === 0
    ? []
    : [db.dialect.jsonContains(raw("value"), Object.fromEntries(scalars))];
}

export interface NamespaceQuery {
  /** `*` stands for any one label, here and in `suffix`. */
  prefix?: readonly string[];
  suffix?: readonly string[];
  /** Deeper ones are cut to this many labels. */
  max_depth?: number;
  limit: number;
  offset: number;
}

/** Namespaces that hold an item, each once, in the order of their text. */
export async function listStoreNamespaces(
  db: Queryable,
  query: NamespaceQuery,
): Promise<string[][]> {
  const { prefix = [], suffix = [], max_depth, limit, offset } = query;
  const found = new Set<string>();
  for await (const labels of scanNamespaces(db, prefix)) {
    if (found.size >= offset + limit) break;
    if (
      matchesLabels(labels, prefix, "start") &&
      matchesLabels(labels, suffix, "end")
    )
      found.add(joined(labels.slice(0, max_depth)));
  }
  return [...found].slice(offset, offset + limit).map(split);
}

async function* scanNamespaces(
  db: Queryable,
  prefix: readonly string[],
): AsyncGenerator<string[]> {
  const wildcard = prefix.indexOf("*");
  const literal = wildcard === -1 ? prefix : prefix.slice(0, wildcard);
  for (let after: string | null = null; ;) {
    const conditions = [alive(db), ...under(literal)];
    if (after !== null) conditions.push(sql`namespace > ${after}`);
    const rows: { namespace: string }[] = await db.query(sql`
      select distinct namespace from store_items
      where ${and(conditions)}
      order by namespace
      limit ${SCANNED_AT_ONCE}`);
    for (const { namespace } of rows) yield split(namespace);
    if (rows.length < SCANNED_AT_ONCE) return;
    after = rows.at(-1)?.namespace ?? null;
  }
}

const addressed = ({ namespace, key }: StoreAddress): Sql =>
  sql`namespace = ${joined(namespace)} and key = ${key}`;

const alive = ({ dialect }: Queryable): Sql =>
  sql`(expires_at is null or expires_at > ${dialect.now})`;

/**
 * The namespace itself and what is under it. The first two make a range of
 * the key; in it are also names like `a-b` for `a`, which the third leaves
 * out. '/' is the character after '.'.
 */
function under(prefix: readonly string[]): Sql[] {
  if (prefix.length === 0) return [];
  const name = joined(prefix);
  return [
    sql`namespace >= ${name}`,
    sql`namespace < ${`${name}/`}`,
    sql`(namespace = ${name} or namespace >= ${name + SEPARATOR})`,
  ];
}

const joined = (labels: readonly string[]): string => labels.join(SEPARATOR);

const split = (namespace: string): string[] => namespace.split(SEPARATOR);

const decoded = (row: RawRow): StoreRow => ({
  ...row,
  namespace: split(row.namespace),
});
