import type { Dialect } from "./dialect.ts";
import type { Sql } from "./sql.ts";

/**
 * Something that answers statements: the database itself or an open
 * transaction. Rows come out alike from every engine: JSON columns parsed,
 * timestamps as ISO 8601 text, booleans as booleans, integers as numbers.
 * Parameters go in as JavaScript values; wrap JSON in `json()`, and give
 * timestamps as `Date`.
 */
export interface Queryable {
  readonly dialect: Dialect;
  query<Row>(statement: Sql): Promise<Row[]>;
}

/** One of several statements that are stored at once. */
export interface Part {
  statement: Sql;
  /** It must give so many rows at least (see `returning`), or nothing of all of them is stored. */
  needs?: number;
}

/**
 * The one seam between us and an engine.
 *
 * `query` outside of a transaction only reads. Every write goes through
 * `transaction` or `write`, and inside a transaction only `tx` may be used.
 */
export interface Database extends Queryable, AsyncDisposable {
  /** No other process can have it open: every lease of an earlier start is void. */
  readonly isExclusive: boolean;

  /** How often whoever waits for a notification looks at the tables for itself. */
  readonly pollMs: number;

  /**
   * As `query`, for what may take tens of milliseconds: SQLite runs it in a
   * thread of its own, so that the event loop goes on meanwhile. It sees what
   * was committed before, and is the only place for `Dialect.nearestVectors`.
   */
  queryAside<Row>(statement: Sql): Promise<Row[]>;

  /** Makes vectors known to the engine. Rejects with what is missing and the remedy. */
  enableVectors(): Promise<void>;

  /**
   * One statement that is a transaction of its own. It may be executed twice,
   * when the connection is lost in it: only for what that does no harm to.
   */
  write<Row>(statement: Sql): Promise<Row[]>;

  /**
   * Stores all of the statements or none, in one round trip, and as one
   * statement where the engine can. Null when they are stored, else the index
   * of one that has not given the rows that it needs. None may depend on
   * what another of them does: each sees the database as it was before them, but
   * for the rows that it changes or locks, which it sees as they are by then.
   * Like `write` it may be executed twice.
   */
  writeAtOnce(parts: readonly Part[]): Promise<number | null>;

  /**
   * Runs `fn`, commits, and resolves once the commit survives the death of
   * this process; rolls back when `fn` throws. Whoever tells somebody outside
   * of it awaits `durable` first (the HTTP API does for every response).
   * Statements that do not wait for each other's answers may be sent together
   * (`Promise.all`): they are executed in the order of the calls, and on
   * Postgres they share a round trip.
   * `fn` awaits nothing but `tx`, and may be run again: on SQLite all writers
   * share one transaction at a time, so a wait in here is everybody's wait; on
   * Postgres a deadlock or a lost connection makes it start anew.
   */
  transaction<T>(fn: (tx: Queryable) => Promise<T>): Promise<T>;

  /**
   * Resolves once everything that was committed before this call survives a
   * loss of power as well. Rejects when the disk has refused it: then nothing
   * can be acknowledged until a restart.
   */
  durable(): Promise<void>;

  /**
   * Calls `fn` for each notification on the channel, from this process and
   * from others. A notification is a hint: it may be lost, so whoever listens
   * reads the tables when `onGap` is called and polls now and then.
   * Returns the function that ends it.
   */
  listen(
    channel: string,
    fn: (payload: string) => void,
    onGap?: () => void,
  ): () => void;

  /** Tells everybody who listens. Call it after the commit, never inside a transaction. */
  notify(channel: string, payload: string): void;

  close(): Promise<void>;
}

/** The first row, or null. */
export async function first<Row>(
  db: Queryable,
  statement: Sql,
): Promise<Row | null> {
  const rows = await db.query<Row>(statement);
  return rows[0] ?? null;
}

/**
 * A write, and a second one for the rows of `table` that the first returns:
 * both or none. On Postgres it is one statement, and as `write` it may be
 * executed twice. Resolves with the rows of the second; empty when the first has none.
 */
export async function writeChained<Row>(
  database: Database,
  params: { first: Sql; second: (rows: Sql) => Sql; table: Sql },
): Promise<Row[]> {
  const statement = database.dialect.chained(params.first, params.second);
  if (statement !== null) return database.write<Row>(statement);
  return database.transaction(async (tx) => {
    const rows = await tx.query(params.first);
    return rows.length === 0 ? [] : tx.query<Row>(params.second(params.table));
  });
}
