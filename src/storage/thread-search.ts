import type { AccessFilter } from "../model/access.ts";
import type { ThreadSort } from "../model/thread-search.ts";
import type { Thread } from "../model/thread.ts";
import { visible } from "./access.ts";
import { first, type Queryable } from "./database.ts";
import { plannedAnew, raw, sql, type Sql } from "./sql.ts";
import { matching, type Path, type WeighedFilters } from "./thread-filters.ts";
import { HAS_VALUES, valuesOf } from "./thread-values.ts";

/** Columns that may be large; the others are always read. */
export const LARGE_COLUMNS = [
  "metadata",
  "config",
  "values",
  "interrupts",
  "error",
] as const;
export type LargeColumn = (typeof LARGE_COLUMNS)[number];

export interface ThreadPage {
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

/**
 * One page. Its threads are chosen by id, so that nothing large is sorted. A
 * `case` keeps the engine from reading a large column of a row, and the text
 * of the statement from varying with the choice.
 */
export async function searchThreads(
  db: Queryable,
  page: ThreadPage,
  filters: WeighedFilters,
): Promise<FoundThread[]> {
  if (filters.isImpossible) return [];
  const large = LARGE_COLUMNS.map((name) => {
    const column = raw(`"${name}"`);
    const value = name === "values" ? valuesOf(db.dialect) : column;
    return sql`, case when ${page.columns.has(name)} then ${value} end as ${column}`;
  }).reduce((all, one) => sql`${all}${one}`);
  const direction = raw(page.sort_order === "asc" ? "asc" : "desc");
  const column = raw(`threads.${page.sort_by}`);
  const by = (column: Sql) =>
    sql`${column} ${direction}, threads.thread_id ${direction}`;
  const path = pathOf(filters, page);
  // Postgres judges by a sample of documents: what is in it seems to be a hundredth of all, and the order the shorter way to it.
  const isSorted = typeof path === "object";
  const found = sql`
    select threads.thread_id, created_at, updated_at, state_updated_at, status ${large}
    from (
      select thread_id from threads
      where ${matching(db.dialect, filters, path)}
      order by ${by(isSorted ? db.dialect.sorted(column) : column)}
      limit ${page.limit} offset ${page.offset}) as page
    cross join threads
    where threads.thread_id = page.thread_id
      and ${visible(db.dialect, raw("metadata"), filters.access)}
    order by ${by(column)}`;
  return db.query(plannedAnew(found));
}

/** To read and sort a match costs five times what a step along the order does (3.5 µs). */
const SORT_COST = 5;
/** So many are always sorted: a walk is long when all that match are at its end. */
const FEW = 500;

/** How to come to the threads of a page: by what fewest of them have, or by the order until the page is full. */
function pathOf(
  { narrowest, share, all }: WeighedFilters,
  { limit, offset, sort_by }: ThreadPage,
): Path {
  const walked = Math.min((offset + limit) / share, all);
  if (narrowest.total <= Math.max(FEW, walked / SORT_COST))
    return narrowest.path;
  // These orders are that of the index on the status.
  return sort_by === "status" || sort_by === "thread_id" ? "status" : "order";
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

/** Exact. Mostly known without a look at any thread. */
export async function countThreads(
  db: Queryable,
  filters: WeighedFilters,
): Promise<number> {
  if (filters.isImpossible) return 0;
  if (filters.total !== null) return filters.total;
  const rest = filters.complement;
  const counted = rest?.filters ?? filters;
  const row = await first<{ total: number }>(
    db,
    filters.isEntriesOnly
      ? sql`select count(*) as total from ${db.dialect.threadsWithEntries(filters.entries)}`
      : sql`
          select count(*) as total from threads
          where ${matching(db.dialect, counted, counted.narrowest.path)}`,
  );
  const count = row?.total ?? 0;
  return rest === null ? count : rest.of - count;
}
