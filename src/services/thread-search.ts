import type { Caller } from "../auth/caller.ts";
import type { Json, JsonObject } from "../lib/json.ts";
import { extractAt } from "../model/extract-path.ts";
import { pageOf, type Page } from "../model/page.ts";
import type {
  Extract,
  ThreadCount,
  ThreadSearch,
} from "../model/thread-search.ts";
import type { Thread } from "../model/thread.ts";
import { weighFilters } from "../storage/thread-filters.ts";
import {
  countThreads as countRows,
  LARGE_COLUMNS,
  listThreadValues,
  searchThreads as searchRows,
  type FoundThread,
  type LargeColumn,
} from "../storage/thread-search.ts";
import type { ServiceDeps } from "./deps.ts";

type Deps = Pick<ServiceDeps, "database">;

/** What `select` leaves of a thread, and what `extract` adds to it. */
export type ThreadRow = Partial<Thread> & {
  extracted?: JsonObject;
};

export async function searchThreads(
  { database }: Deps,
  caller: Caller,
  input: ThreadSearch,
): Promise<Page<ThreadRow>> {
  const page = { ...input, columns: columnsOf(input) };
  const filters = await weighFilters(database, input, caller.access);
  const found = await searchRows(database, page, filters);
  const { limit, offset } = input;
  // The last page tells the total by itself.
  const isLast = found.length < limit && (found.length > 0 || offset === 0);
  const total = isLast
    ? offset + found.length
    : await countRows(database, filters);
  const extracted = await extractAll({ database }, caller, input, found);
  const rows = found.map((thread, index) => ({
    ...selected(thread, input.select),
    ...extracted[index],
  }));
  return pageOf<ThreadRow>(rows, { offset, total });
}

export async function countThreads(
  { database }: Deps,
  caller: Caller,
  input: ThreadCount,
): Promise<number> {
  const filters = await weighFilters(database, input, caller.access);
  return countRows(database, filters);
}

/** Values can be megabytes: for an extract alone they are read later, some threads at a time. */
function columnsOf({ select, extract }: ThreadSearch): Set<LargeColumn> {
  if (select.length === 0) return new Set(LARGE_COLUMNS);
  const wanted = new Set<string>(select);
  for (const [, { root }] of extract) if (root !== "values") wanted.add(root);
  return new Set(LARGE_COLUMNS.filter((column) => wanted.has(column)));
}

function selected(
  thread: FoundThread,
  select: ThreadSearch["select"],
): ThreadRow {
  if (select.length === 0) return thread as Thread;
  const wanted = new Set<string>(select);
  return Object.fromEntries(
    Object.entries(thread).filter(([column]) => wanted.has(column)),
  );
}

/** How many values are in memory at once. */
const VALUES_BATCH = 20;

/** For each thread `{extracted}`; nothing at all when nothing is to be extracted. */
async function extractAll(
  deps: Deps,
  caller: Caller,
  { select, extract }: ThreadSearch,
  found: readonly FoundThread[],
): Promise<Pick<ThreadRow, "extracted">[]> {
  if (extract.length === 0) return [];
  const hasValues = select.length === 0 || select.includes("values");
  const needsValues = extract.some(([, { root }]) => root === "values");
  if (hasValues || !needsValues)
    return found.map((thread) => extractFrom(thread, extract));
  const all: Pick<ThreadRow, "extracted">[] = [];
  for (let start = 0; start < found.length; start += VALUES_BATCH) {
    const batch = found.slice(start, start + VALUES_BATCH);
    const values = await readValues(deps, caller, batch);
    for (const thread of batch)
      all.push(
        extractFrom(
          { ...thread, values: values.get(thread.thread_id) ?? null },
          extract,
        ),
      );
  }
  return all;
}

async function readValues(
  { database }: Deps,
  caller: Caller,
  threads: readonly FoundThread[],
): Promise<Map<string, Json>> {
  const ids = threads.map((thread) => thread.thread_id);
  const rows = await listThreadValues(database, ids, caller.access);
  return new Map(rows.map((row) => [row.thread_id, row.values]));
}

const extractFrom = (thread: FoundThread, extract: readonly Extract[]) => ({
  // fromEntries defines members, so an alias may be called `__proto__`.
  extracted: Object.fromEntries(
    extract.map(([alias, path]) => [alias, extractAt(thread[path.root], path)]),
  ),
});
