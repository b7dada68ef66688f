import type { Dialect } from "./dialect.ts";
import { and, json, raw, Sql, sql } from "./sql.ts";

/*
 * Times are cut to milliseconds, not rounded: a run that is due now must not
 * be due half a millisecond from now.
 */
const NOW = raw("date_trunc('milliseconds', statement_timestamp())");

const jsonContains = (column: Sql, needle: unknown): Sql =>
  sql`cast(${column} as jsonb) @> ${json(needle)}`;

/** An entry such as `"team":"blue"` as the document that has nothing else. */
const hasEntry = (entry: string): Sql =>
  jsonContains(raw("metadata"), JSON.parse(`{${entry}}`));

function floatsOf(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: bytes.byteLength / 4 }, (_, index) =>
    view.getFloat32(index * 4, true),
  );
}

export const POSTGRES: Dialect = {
  name: "postgres",
  now: NOW,
  nowPlus: (milliseconds) =>
    sql`${NOW} + cast(${milliseconds} as double precision) * interval '1 millisecond'`,
  plusMinutes: (timestamp, minutes) =>
    sql`${timestamp} + cast(${minutes} as double precision) * interval '1 minute'`,
  chained: (first, second) =>
    sql`with chained as (${first}) ${second(raw("chained"))}`,
  // Not `for update`: that would wait for everybody who has just referred to the row, and they may wait for us.
  forUpdate: raw("for no key update"),
  keyShare: raw("for key share"),
  skipLocked: raw("for update skip locked"),
  jsonOf: (text) => sql`cast(${text} as json)`,
  jsonContains,
  jsonString: (column) => sql`cast(to_json(${column}) as text)`,
  jsonMerge: (column, patch) =>
    sql`(cast(${column} as jsonb) || cast(${patch instanceof Sql ? patch : json(patch)} as jsonb))`,
  jsonPick: (column, names) => sql`(
    select coalesce(jsonb_object_agg(key, value), '{}') from jsonb_each(${column})
    where key in (${raw(names.map((name) => `'${name}'`).join(", "))}))`,
  jsonDiffers: (column, value) =>
    sql`cast(${column} as text) is distinct from cast(${value} as text)`,
  unindexed: (column) => column, // its statistics tell the planner
  sorted: (column) => sql`greatest(${column})`, // of one: itself, and no index has it
  isMember: (column, values) => sql`${column} = any(${values})`,
  containsText: (column, text) =>
    sql`strpos(lower(${column} collate "und-x-icu"), ${text.toLowerCase()}) > 0`,
  vector: (bytes) => sql`cast(${floatsOf(bytes)} as real[])`,
  // Without a direction it is not a number.
  nearestVectors: ({ index_name, vector, limit, within }) => sql`(
    select namespace as near_namespace, key as near_key, coalesce(nullif(1 - (
      cast(vector as vector) <=> cast(cast(${floatsOf(vector)} as real[]) as vector)), 'NaN'), 0) as likeness
    from store_vectors
    where ${and([sql`index_name = ${index_name}`, ...within])}
    order by likeness desc
    limit ${limit}) as nearest`,
  hasEntry,
  threadsWithEntries: (entries) =>
    sql`threads where ${and([raw("not temporary"), ...entries.map(hasEntry)])}`,
};
