import type { JsonObject } from "../lib/json.ts";
import type { AccessFilter } from "../model/access.ts";
import type { ThreadSort } from "../model/thread-search.ts";
import type { Thread, ThreadStatus } from "../model/thread.ts";
import { visible } from "./access.ts";
import { first, type Queryable } from "./database.ts";
import type { Dialect } from "./dialect.ts";
import { and, raw, sql, type Sql } from "./sql.ts";
import { HAS_VALUES, valuesOf } from "./thread-values.ts";

export interface ThreadFilters {
  /** Empty: any. */
  ids?: readonly string[];
  metadata?: JsonObject | undefined;
  /** Threads without values never match, not even `{}`. */
  values?: JsonObject | undefined;
  status?: ThreadStatus | undefined;
}

/** Columns that may be large; the others are always read. */
export const LARGE_COLUMNS = [
  "metadata",
  "config",
  "values",
  "interrupts",
  "error",
] as const;
export type LargeColumn = (typeof LARGE_COLUMNS)[number];

export interface ThreadPage extends ThreadFilters {
  sort_by: ThreadSort;
  sort_order: "asc" | "desc";
  limit: number;
  offset: number;
  /** Which of the large columns to read; the others come out null. */
  columns: ReadonlySet<LargeColumn>;
}

/** A row of a search: null where a large column was not asked for. */
export type FoundThread = Omit<Thread, LargeColumn> & {
  [column in LargeColumn]: Thread[column] | null;
};

function matching(
  dialect: Dialect,
  { ids = [], metadata, values, status }: ThreadFilters,
  access: AccessFilter,
): Sql {
  const column = raw("metadata");
  // Worded as in the partial indexes, or they are not used.
  const conditions = [raw("not temporary"), visible(dialect, column, access)];
  if (ids.length > 0) conditions.push(dialect.isMember(raw("thread_id"), ids));
  if (status !== undefined) conditions.push(sql`status = ${status}`);
  if (metadata !== undefined)
    conditions.push(dialect.jsonContains(column, metadata));
  if (values !== undefined)
    conditions.push(dialect.jsonContains(valuesOf(dialect), values));
  return and(conditions);
}

/**
 * One page. A `case` keeps the engine from reading a large column of a row,
 * and the text of the statement from varying with the choice.
 */
export async function searchThreads(
  db: Queryable,
  page: ThreadPage,
  access: AccessFilter,
): Promise<FoundThread[]> {
  const large = LARGE_COLUMNS.map((name) => {
    const column = raw(`"${name}"`);
    const value = name === "values" ? valuesOf(db.dialect) : column;
    return sql`, case when ${page.columns.has(name)} then ${value} end as ${column}`;
  }).reduce((all, one) => sql`${all}${one}`);
  const order = raw(page.sort_order === "asc" ? "asc" : "desc");
  const sortBy = raw(page.sort_by);
  return db.query(sql`
    select thread_id, created_at, updated_at, state_updated_at, status ${large}
    from threads
    where ${matching(db.dialect, page, access)}
    order by ${sortBy} ${order}, thread_id ${order}
    limit ${page.limit} offset ${page.offset}`);
}

/** Values of some threads, for what is extracted from them; threads without values are left out. */
export async function listThreadValues(
  db: Queryable,
  ids: readonly string[],
  access: AccessFilter,
): Promise<Pick<Thread, "thread_id" | "values">[]> {
  return db.query(sql`
    select thread_id, ${valuesOf(db.dialect)} as "values" from threads
    where ${db.dialect.isMember(raw("thread_id"), ids)}
      and ${HAS_VALUES}
      and ${visible(db.dialect, raw("metadata"), access)}`);
}

export async function countThreads(
  db: Queryable,
  filters: ThreadFilters,
  access: AccessFilter,
): Promise<number> {
  const row = await first<{ total: number }>(
    db,
    sql`select count(*) as total from threads where ${matching(db.dialect, filters, access)}`,
  );
  return row?.total ?? 0;
}
