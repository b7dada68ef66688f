import type { Dialect } from "./dialect.ts";
import { leastLength, LONG_NEEDLE } from "./json-needle.ts";
import { MANY, NearestParameter } from "./sqlite-nearest.ts";
import { and, EMPTY, json, raw, Sql, sql } from "./sql.ts";

/** The functions that these call are registered in sqlite.ts. */

const NOW = raw("cast(unixepoch('subsec') * 1000 as integer)");

export const SQLITE: Dialect = {
  name: "sqlite",
  now: NOW,
  nowPlus: (milliseconds) => sql`${NOW} + ${Math.round(milliseconds)}`,
  plusMinutes: (timestamp, minutes) =>
    sql`${timestamp} + cast(${minutes} * 60000 as integer)`,
  chained: () => null, // a `with` of SQLite only reads
  forUpdate: EMPTY, // a write transaction has the file to itself
  keyShare: EMPTY,
  skipLocked: EMPTY,
  jsonOf: (text) => text,
  jsonContains: (column, needle) => {
    const contains = sql`json_contains(${column}, ${json(needle)})`;
    return JSON.stringify(needle).length < LONG_NEEDLE
      ? contains
      : sql`case when length(${column}) >= ${leastLength(needle)} then ${contains} else 0 end`;
  },
  jsonString: (column) => sql`json_quote(${column})`,
  jsonMerge: (column, patch) =>
    sql`json_merge(${column}, ${patch instanceof Sql ? patch : json(patch)})`,
  jsonPick: (column, names) =>
    sql`json_pick(${column}, ${raw(`'${names.join(" ")}'`)})`,
  jsonDiffers: (column, value) => sql`${column} is distinct from ${value}`,
  unindexed: (column) => sql`+${column}`,
  sorted: (column) => column, // the index is named by the condition
  isMember: (column, values) =>
    sql`${column} in (select value from json_each(${json(values)}))`,
  containsText: (column, text) =>
    sql`contains_text(${column}, ${text.toLowerCase()})`,
  vector: (bytes) => sql`${bytes}`,
  nearestVectors,
  hasEntry: (entry, { leads }) => (leads ? isAmong(entry) : isOf(entry)),
  threadsWithEntries: ([rarest = "", ...others]) =>
    sql`thread_metadata as threads where ${and([
      sql`threads.entry_id = ${idOf(rarest)}`,
      ...others.map(isOf),
    ])}`,
};

const idOf = (entry: string): Sql =>
  sql`(select entry_id from thread_metadata_entries where entry = ${entry})`;

/** The threads that have it, one by one. */
const isAmong = (entry: string): Sql =>
  sql`threads.thread_id in (select thread_id from thread_metadata where entry_id = ${idOf(entry)})`;

/** For a thread that is at hand. NOTE: a subquery that is a value; `exists` may become a join, and that one goes the other way round. */
const isOf = (entry: string): Sql =>
  sql`(
    select true from thread_metadata
    where entry_id = ${idOf(entry)} and thread_metadata.thread_id = threads.thread_id)`;

/** The likeness is null when one of them has no direction. */
function nearestVectors({
  within,
  ...wanted
}: Parameters<Dialect["nearestVectors"]>[0]): Sql {
  const { index_name, vector, limit } = wanted;
  const scan = sql`
    select id, coalesce(1 - vec_distance_cosine(vector, ${vector}), 0) as likeness
    from store_vectors
    where ${and([sql`index_name = ${index_name}`, ...within])}
    order by likeness desc
    limit ${limit}`;
  const count = sql`
    select count(*) as count from (
      select 1 from store_vectors where ${and(within)} limit ${MANY})`;
  const found = new NearestParameter({
    ...wanted,
    scan: { text: scan.text(() => "?"), values: scan.values },
    count: { text: count.text(() => "?"), values: count.values },
  });
  return sql`(
    select store_vectors.namespace as near_namespace, store_vectors.key as near_key,
      found.value ->> 1 as likeness
    from json_each(${found}) as found
      join store_vectors on store_vectors.id = found.value ->> 0
    where ${and(within)}) as nearest`;
}
