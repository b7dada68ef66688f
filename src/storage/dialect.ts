import type { JsonObject } from "../lib/json.ts";
import type { JsonParameter, Sql } from "./sql.ts";

/**
 * What SQLite and Postgres do not say alike, as named fragments. A statement
 * that needs an `if (sqlite)` is a fragment that has not been found yet.
 */
export interface Dialect {
  readonly name: "sqlite" | "postgres";

  /** The database's clock, as a timestamp. It alone decides leases. */
  readonly now: Sql;

  /** The database's clock plus some milliseconds. */
  nowPlus(milliseconds: number): Sql;

  /** A timestamp plus a number of minutes, which may have a fraction; null when either is null. */
  plusMinutes(timestamp: Sql, minutes: Sql): Sql;

  /**
   * Two writes as one statement: the second takes the rows that the first
   * returns, and sees nothing else of what it has done. Null where an engine has no such statement.
   */
  chained(first: Sql, second: (rows: Sql) => Sql): Sql | null;

  /** Ends a select whose rows this transaction is about to change. */
  readonly forUpdate: Sql;

  /** Ends a select whose rows must not be deleted before this transaction ends; they may change. */
  readonly keyShare: Sql;

  /** As `forUpdate`, but rows that another transaction holds are left out. */
  readonly skipLocked: Sql;

  /** Text that is JSON, as a JSON column would give it. */
  jsonOf(text: Sql): Sql;

  /** Whether JSON `column` contains `needle` (the rule is `jsonContains` of lib/json.ts). */
  jsonContains(column: Sql, needle: unknown): Sql;

  /** Text `column` as a JSON string, quotes included. */
  jsonString(column: Sql): Sql;

  /** JSON `column` with the members of `patch` laid over it, one level deep. */
  jsonMerge(column: Sql, patch: Sql | JsonObject): Sql;

  /** Of the object in JSON `column`, the members with these names; names are text of ours. */
  jsonPick(column: Sql, names: readonly string[]): Sql;

  /** Whether JSON `column` is another text than `value`, or one of them is null. */
  jsonDiffers(column: Sql, value: JsonParameter | null): Sql;

  /** `column`, where an index on it would lead a planner without statistics astray. */
  unindexed(column: Sql): Sql;

  /** `column` in an `order by`, where a planner that misjudges how much is to be sorted would rather walk an index in that order. */
  sorted(column: Sql): Sql;

  /** Whether `column` is one of `values`. The text does not vary with their number. */
  isMember(column: Sql, values: readonly string[]): Sql;

  /** A vector as a parameter; its bytes are 32-bit floats, the lowest byte first. */
  vector(bytes: Uint8Array): Sql;

  /**
   * The rows of `store_vectors` that are nearest to a vector, as the source of
   * a select: `near_namespace`, `near_key` and `likeness`, the cosine of the
   * angle between them. Only for `Database.queryAside`.
   */
  nearestVectors(wanted: {
    index_name: string;
    vector: Uint8Array;
    limit: number;
    /** Conditions on `namespace`. */
    within: readonly Sql[];
  }): Sql;

  /** Whether text `column` has `text` in it, whatever the case; no character of it is a pattern. */
  containsText(column: Sql, text: string): Sql;

  /**
   * Whether a row of `threads` has this entry of metadata (as
   * storage/metadata-entries.ts writes it). `leads`: the statement comes to its threads by it.
   */
  hasEntry(entry: string, options: { leads: boolean }): Sql;

  /** What follows `select count(*) from`, for the threads that have all of the entries, the rarest first. */
  threadsWithEntries(entries: readonly string[]): Sql;
}
