import type { JsonObject } from "../lib/json.ts";
import type { AccessFilter } from "../model/access.ts";
import { matchesFilter, matchesLabels } from "../model/store-item.ts";
import type { Queryable } from "./database.ts";
import { and, plannedAnew, raw, sql, type Sql } from "./sql.ts";
import { visibleItem, visibleNamespace } from "./store-access.ts";
import {
  alive,
  decoded,
  joined,
  split,
  STORE_COLUMNS,
  under,
  type RawStoreRow,
  type StoreRow,
} from "./store.ts";

/** Rows read at a time when a condition cannot be put in SQL. */
const SCANNED_AT_ONCE = 500;

export interface StoreSearch {
  /** Empty: every namespace. */
  namespace_prefix: readonly string[];
  filter?: JsonObject | undefined;
  limit: number;
  offset: number;
}

/** Those changed last come first. */
export async function searchStoreItems(
  db: Queryable,
  search: StoreSearch,
  access: AccessFilter,
): Promise<StoreRow[]> {
  const { filter = {}, limit, offset } = search;
  const find = { ...search, filter, access };
  if (Object.values(filter).every(isScalar))
    return listItems(db, find, { after: null, limit, offset });
  const found: StoreRow[] = [];
  for await (const rows of scanItems(db, find)) {
    found.push(...rows.filter((row) => matchesFilter(row.value, filter)));
    if (found.length >= offset + limit) break;
  }
  return found.slice(offset, offset + limit);
}

interface Find {
  namespace_prefix: readonly string[];
  filter: JsonObject;
  access: AccessFilter;
}

/** All that may match, a page at a time. */
async function* scanItems(
  db: Queryable,
  find: Find,
): AsyncGenerator<StoreRow[]> {
  const page = { limit: SCANNED_AT_ONCE, offset: 0 };
  let after: StoreRow | null = null;
  for (;;) {
    const rows: StoreRow[] = await listItems(db, find, { ...page, after });
    yield rows;
    if (rows.length < SCANNED_AT_ONCE) return;
    after = rows.at(-1) ?? null;
    await letOthers(db);
  }
}

/** A scan of everything may take long. Outside of a transaction, in which nobody waits for anything, other requests go on meanwhile. */
async function letOthers(db: Queryable): Promise<void> {
  if ("transaction" in db) await new Promise(setImmediate);
}

async function listItems(
  db: Queryable,
  { namespace_prefix, filter, access }: Find,
  page: { after: StoreRow | null; limit: number; offset: number },
): Promise<StoreRow[]> {
  const conditions = [
    alive(db),
    ...under(namespace_prefix),
    ...equalities(db, filter),
    visibleItem(db.dialect, access),
  ];
  if (page.after !== null) conditions.push(behind(page.after));
  const items = sql`
    select ${STORE_COLUMNS} from store_items
    where ${and(conditions)}
    order by updated_at desc, namespace, key
    limit ${page.limit} offset ${page.offset}`;
  const rows = await db.query<RawStoreRow>(plannedAnew(items));
  return rows.map(decoded);
}

/** The first condition says nothing more, but is a place in the index; without it every page reads all pages before it. */
function behind({ updated_at, namespace, key }: StoreRow): Sql {
  const at = new Date(updated_at);
  return sql`updated_at <= ${at} and (updated_at < ${at}
    or (updated_at = ${at} and (namespace, key) > (${joined(namespace)}, ${key})))`;
}

/** The part of a filter that both engines can check: members that equal a number, a text or a truth value. */
function equalities(db: Queryable, filter: JsonObject): Sql[] {
  const scalars = Object.entries(filter).filter(([, wanted]) =>
    isScalar(wanted),
  );
  return scalars.length === 0
    ? []
    : [db.dialect.jsonContains(raw("value"), Object.fromEntries(scalars))];
}

const isScalar = (wanted: unknown): boolean => typeof wanted !== "object";

export interface NamespaceQuery {
  /** `*` stands for any one label, here and in `suffix`. */
  prefix?: readonly string[] | undefined;
  suffix?: readonly string[] | undefined;
  /** Deeper ones are cut to this many labels. */
  max_depth?: number | undefined;
  limit: number;
  offset: number;
}

/** Namespaces that hold an item, each once, in the order of their text. */
export async function listStoreNamespaces(
  db: Queryable,
  query: NamespaceQuery,
  access: AccessFilter,
): Promise<string[][]> {
  const { prefix = [], suffix = [], max_depth, limit, offset } = query;
  const found = new Set<string>();
  for await (const labels of scanNamespaces(db, prefix, access)) {
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
  access: AccessFilter,
): AsyncGenerator<string[]> {
  const wildcard = prefix.indexOf("*");
  const literal = wildcard === -1 ? prefix : prefix.slice(0, wildcard);
  const visible = visibleNamespace(db.dialect, access);
  for (let after: string | null = null; ;) {
    const conditions = [alive(db), ...under(literal), visible];
    if (after !== null) conditions.push(sql`namespace > ${after}`);
    const rows: { namespace: string }[] = await db.query(sql`
      select distinct namespace from store_items
      where ${and(conditions)}
      order by namespace
      limit ${SCANNED_AT_ONCE}`);
    for (const { namespace } of rows) yield split(namespace);
    if (rows.length < SCANNED_AT_ONCE) return;
    after = rows.at(-1)?.namespace ?? null;
    await letOthers(db);
  }
}
