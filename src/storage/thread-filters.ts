import type { JsonObject } from "../lib/json.ts";
import { accessPattern, type AccessFilter } from "../model/access.ts";
import type { ThreadStatus } from "../model/thread.ts";
import type { Queryable } from "./database.ts";
import type { Dialect } from "./dialect.ts";
import {
  isStopped,
  metadataEntries,
  STOPPED,
  stoppedEntry,
  TOO_MANY,
} from "./metadata-entries.ts";
import { and, json, raw, sql, type Sql } from "./sql.ts";
import { valuesOf } from "./thread-values.ts";

/*
 * What a search asks for, and by which index it is answered. Triggers keep
 * which threads have which short scalar entry of metadata, and how many have
 * each entry, each status, and each entry while stopped; so it is known
 * beforehand how much a filter lets through. These numbers choose the way, and
 * are the total where one of them is all that is asked for. What a
 * statement finds never depends on them.
 */

export interface ThreadFilters {
  /** Empty: any. */
  ids?: readonly string[];
  metadata?: JsonObject | undefined;
  /** Threads without values never match, not even `{}`. */
  values?: JsonObject | undefined;
  status?: ThreadStatus | undefined;
}

/** By which index a statement comes to its threads. */
export type Path = "order" | "ids" | "status" | { entry: string };

/** The text of a statement varies with the number of entries that it looks up; what is above this is compared row by row. */
const MAX_ENTRIES = 4;

interface Conditions {
  ids: readonly string[];
  status: ThreadStatus | undefined;
  /** Entries of metadata, from the rarest on. */
  entries: readonly string[];
  /** What the metadata must contain besides. */
  needles: readonly JsonObject[];
  values: JsonObject | undefined;
  /** The way to the fewest threads, and how many it leads to at most. */
  narrowest: { path: Path; total: number };
}

export interface WeighedFilters extends Conditions {
  access: AccessFilter;
  /** No thread can match. */
  isImpossible: boolean;
  /** How many match, where that is known. */
  total: number | null;
  /** Nothing is asked for but entries. */
  isEntriesOnly: boolean;
  /** Where fewer threads are counted so: the total is `of` less what matches these. */
  complement: { of: number; filters: Conditions } | null;
  /** How many threads there are. */
  all: number;
  /** Which part of them may match, as far as that is known. */
  share: number;
}

/** Looks up how many threads have what is asked for. */
export async function weighFilters(
  db: Queryable,
  { ids = [], metadata = {}, values, status }: ThreadFilters,
  access: AccessFilter,
): Promise<WeighedFilters> {
  const documents = [metadata, access === null ? {} : accessPattern(access)];
  const known = documents.map((document) =>
    metadataEntries(json(document).toText()),
  );
  const totals = await readTotals(db, known.flat(), status);
  const entries = totals.entries.slice(0, MAX_ENTRIES);
  const indexed = new Set(entries.map(([entry]) => entry));
  const needles = documents.filter((document, index) => {
    const answered = known[index]?.filter((entry) => indexed.has(entry)) ?? [];
    return answered.length < Object.keys(document).length;
  });
  const all = sum(totals.statuses.values());
  const ofStatus = status === undefined ? all : totals.of(status);
  const paths: Conditions["narrowest"][] = [
    ...entries.map(([entry, total]) => ({ path: { entry }, total })),
    ...(status === undefined
      ? []
      : [{ path: "status" as const, total: ofStatus }]),
  ];
  const conditions: Conditions = {
    ids,
    status,
    entries: [...indexed],
    needles,
    values,
    narrowest:
      ids.length > 0 ? { path: "ids", total: ids.length } : narrowest(paths),
  };
  const isIndexed =
    ids.length === 0 && needles.length === 0 && values === undefined;
  const ofBoth = entries.map(([entry]) => totals.ofBoth(entry, status));
  const total = !isIndexed
    ? null
    : entries.length === 0
      ? ofStatus
      : entries.length === 1
        ? (ofBoth[0] ?? null)
        : null;
  return {
    ...conditions,
    access,
    isImpossible: paths.some(({ total }) => total === 0) || ofBoth.includes(0),
    total,
    isEntriesOnly: isIndexed && status === undefined && entries.length > 0,
    complement:
      isIndexed && status === "idle" && entries.length === 1
        ? complementOf(conditions, totals)
        : null,
    all,
    share:
      total === null
        ? paths.reduce((part, { total }) => (part * total) / all, 1)
        : total / all,
  };
}

const sum = (numbers: Iterable<number>) =>
  [...numbers].reduce((total, one) => total + one, 0);

const narrowest = (
  paths: readonly Conditions["narrowest"][],
): Conditions["narrowest"] =>
  paths.reduce((best, one) => (one.total < best.total ? one : best), {
    path: "order",
    total: Infinity,
  });

/** Nearly all threads are idle: the busy ones are quicker counted, and how many are stopped is known. */
function complementOf(
  conditions: Conditions,
  totals: Totals,
): WeighedFilters["complement"] {
  const [[entry, ofEntry] = ["", 0]] = totals.entries;
  const busy = totals.of("busy");
  if (busy >= conditions.narrowest.total) return null;
  return {
    of: STOPPED.reduce(
      (rest, status) => rest - (totals.ofBoth(entry, status) ?? 0),
      ofEntry,
    ),
    filters: {
      ...conditions,
      status: "busy",
      narrowest: { path: "status", total: busy },
    },
  };
}

interface Totals {
  /** From the rarest on; 0 for what no thread has. Empty while the index does not know all threads. */
  entries: [entry: string, total: number][];
  statuses: Map<string, number>;
  of(status: ThreadStatus): number;
  /** Null where no total is kept of the two together. */
  ofBoth(entry: string, status: ThreadStatus | undefined): number | null;
}

async function readTotals(
  db: Queryable,
  asked: readonly string[],
  status: ThreadStatus | undefined,
): Promise<Totals> {
  const entries = [...new Set(asked)].filter((entry) => entry !== TOO_MANY);
  const ofStopped =
    status === undefined
      ? []
      : entries.flatMap((entry) =>
          STOPPED.map((stopped) => stoppedEntry(stopped, entry)),
        );
  const rows = await db.query<{
    entry: string | null;
    status: ThreadStatus | null;
    total: number;
  }>(sql`
    select entry, null as status, sum(total) as total from thread_metadata_entries
    where ${db.dialect.isMember(raw("entry"), [...entries, ...ofStopped, TOO_MANY])}
    group by entry
    union all
    select null as entry, status, sum(total) as total from thread_status_totals
    group by status`);
  const found = new Map(rows.map(({ entry, total }) => [entry, total]));
  const statuses = new Map(
    rows.flatMap(({ status, total }) =>
      status === null ? [] : [[status, total] as const],
    ),
  );
  const ofEntry = (entry: string) => found.get(entry) ?? 0;
  const isWhole = ofEntry(TOO_MANY) === 0;
  return {
    entries: (isWhole ? entries : [])
      .map((entry): [string, number] => [entry, ofEntry(entry)])
      .sort(([, a], [, b]) => a - b),
    statuses,
    of: (status) => statuses.get(status) ?? 0,
    ofBoth: (entry, status) =>
      status === undefined
        ? ofEntry(entry)
        : isStopped(status)
          ? ofEntry(stoppedEntry(status, entry))
          : null,
  };
}

/** The condition on rows of `threads`, worded so that they are come to by `path`. */
export function matching(
  dialect: Dialect,
  { ids, status, entries, needles, values }: Conditions,
  path: Path,
): Sql {
  // Worded as in the partial indexes, or they are not used.
  const conditions = [raw("not temporary")];
  if (ids.length > 0) conditions.push(dialect.isMember(raw("thread_id"), ids));
  const column = raw("status");
  const led = path === "status" ? column : dialect.unindexed(column);
  if (status !== undefined) conditions.push(sql`${led} = ${status}`);
  const by = typeof path === "object" ? path.entry : null;
  for (const entry of entries)
    conditions.push(dialect.hasEntry(entry, { leads: entry === by }));
  for (const needle of needles)
    conditions.push(dialect.jsonContains(raw("metadata"), needle));
  if (values !== undefined)
    conditions.push(dialect.jsonContains(valuesOf(dialect), values));
  return and(conditions);
}
