import { EventEmitter } from "node:events";
import { jsonContains } from "../lib/json.ts";
import { AppError, unavailable } from "../model/errors.ts";
import { decodeRow } from "./columns.ts";
import type { Database, Queryable } from "./database.ts";
import { needleReader } from "./json-needle.ts";
import { entriesReader } from "./metadata-entries.ts";
import { SqliteAside } from "./sqlite-aside.ts";
import { NearestParameter } from "./sqlite-nearest.ts";
import { LogSync } from "./sqlite-sync.ts";
import { SQLITE } from "./sqlite-dialect.ts";
import { JsonParameter, type Sql } from "./sql.ts";
import {
  defaultSqliteDriver,
  type SqliteConnection,
  type SqliteDriver,
  type SqliteStatement,
} from "./sqlite-driver.ts";

/*
 * One connection writes, another reads while a transaction is open. Writes that arrive in one turn of the
 * event loop share one commit (group commit), each in a savepoint of its own.
 * The reader sees only what is committed. A commit is in the hands of the
 * kernel, and so survives kill -9; `durable` brings it to the disk, off the
 * event loop, for as many commits as there are.
 */

export interface SqliteOptions {
  path: string;
  /** `full`: `durable` waits for the disk, so what is acknowledged after it survives power loss. `relaxed`: it waits for nothing. */
  durability: "full" | "relaxed";
  driver?: SqliteDriver;
  onClosed?: () => void;
}

/** Writers of one group; bounds how long the first of them waits for its commit. */
const MAX_GROUP = 256;

interface Write {
  run(tx: Queryable): Promise<unknown>;
  resolve(value: unknown): void;
  reject(reason: unknown): void;
}

export class SqliteDatabase implements Database {
  readonly dialect = SQLITE;
  readonly isExclusive = true;
  readonly pollMs = 1000;
  readonly driverName: string;
  readonly #writer: Connection;
  readonly #reader: Connection;
  /** Null when nobody waits for the disk. */
  readonly #log: LogSync | null;
  readonly #notifications = new EventEmitter().setMaxListeners(0);
  readonly #aside: SqliteAside;
  #queue: Write[] = [];
  #draining: Promise<void> | null = null;
  #isClosed = false;
  readonly #onClosed: () => void;

  constructor({
    path,
    durability,
    driver = defaultSqliteDriver(),
    onClosed = () => {},
  }: SqliteOptions) {
    this.#onClosed = onClosed;
    this.driverName = driver.name;
    this.#writer = new Connection(driver.open(path, { readOnly: false }));
    this.#writer.configure();
    this.#log = durability === "full" ? new LogSync(path) : null;
    this.#reader = new Connection(driver.open(path, { readOnly: true }));
    this.#aside = new SqliteAside({ path, driver: driver.name });
  }

  /** Between groups the writer reads: each commit empties the page cache of every connection but its own. */
  query<Row>(statement: Sql): Promise<Row[]> {
    const isBetween = !this.#writer.isTransaction && !this.#isClosed;
    return (isBetween ? this.#writer : this.#reader).query<Row>(statement);
  }

  queryAside<Row>(statement: Sql): Promise<Row[]> {
    const values = statement.values.map(encoded);
    return this.#aside.query<Row>(textOf(statement), values);
  }

  enableVectors(): Promise<void> {
    return this.#aside.enableVectors();
  }

  write<Row>(statement: Sql): Promise<Row[]> {
    return this.transaction((tx) => tx.query<Row>(statement));
  }

  transaction<T>(fn: (tx: Queryable) => Promise<T>): Promise<T> {
    if (this.#isClosed)
      return Promise.reject(unavailable("the database is closed"));
    return new Promise<T>((resolve, reject) => {
      this.#queue.push({
        run: fn,
        resolve: resolve as (value: unknown) => void,
        reject,
      });
      this.#draining ??= this.#drain();
    });
  }

  durable(): Promise<void> {
    return this.#log?.synced() ?? Promise.resolve();
  }

  listen(channel: string, fn: (payload: string) => void): () => void {
    this.#notifications.on(channel, fn);
    return () => this.#notifications.off(channel, fn);
  }

  notify(channel: string, payload: string): void {
    this.#notifications.emit(channel, payload);
  }

  /** Runs a script of several statements at once; only migrations do. */
  async script(text: string): Promise<void> {
    try {
      this.#writer.exec(text);
    } catch (cause) {
      this.#writer.rollback();
      throw cause;
    }
  }

  /** What was asked before is done first. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#draining;
    await this.#log?.close();
    await this.#aside.close();
    this.#reader.close();
    try {
      // Everything into the one file: whoever copies it after a clean stop has it all.
      this.#writer.exec("pragma wal_checkpoint(truncate)");
    } finally {
      this.#writer.close();
      this.#onClosed();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #drain(): Promise<void> {
    // Wait for the end of this turn: what it still brings joins the group.
    await new Promise(setImmediate);
    while (this.#queue.length > 0)
      await this.#commitGroup(this.#queue.splice(0, MAX_GROUP));
    this.#draining = null;
  }

  async #commitGroup(group: Write[]): Promise<void> {
    const [first] = group;
    const acknowledge: (() => void)[] = [];
    try {
      if (this.#log?.failure) throw this.#log.failure;
      this.#writer.exec("begin immediate");
      if (group.length === 1 && first !== undefined)
        acknowledge.push(await this.#runAlone(first));
      else
        for (const write of group)
          acknowledge.push(await this.#runInSavepoint(write));
      this.#writer.exec("commit");
      this.#log?.wrote();
    } catch (cause) {
      this.#writer.rollback();
      for (const write of group) write.reject(translated(cause));
      return;
    }
    for (const settle of acknowledge) settle();
  }

  /** Nobody shares the transaction, so what fails takes all of it back. */
  async #runAlone(write: Write): Promise<() => void> {
    const tx = new Transaction(this.#writer);
    try {
      const value = await write.run(tx);
      return () => write.resolve(value);
    } finally {
      tx.end();
    }
  }

  /** Returns what tells the writer the outcome, to be called after the commit. */
  async #runInSavepoint(write: Write): Promise<() => void> {
    this.#writer.exec("savepoint write");
    const tx = new Transaction(this.#writer);
    try {
      const value = await write.run(tx);
      this.#writer.exec("release write");
      return () => write.resolve(value);
    } catch (cause) {
      // A full disk or an I/O error ends the whole transaction, not this savepoint only.
      if (!this.#writer.isTransaction) throw cause;
      this.#writer.exec("rollback to write");
      this.#writer.exec("release write");
      return () => write.reject(translated(cause));
    } finally {
      tx.end();
    }
  }
}

/** Reads that all see the database as it was at the first of them. */
export interface Snapshot extends Queryable, Disposable {}

/**
 * The file as it is now, beside whoever has it open: another process may go on
 * writing. As long as this is open, the log of that process can't be
 * folded into the file, and grows.
 */
export function openSqliteSnapshot(path: string): Snapshot {
  const connection = new Connection(
    defaultSqliteDriver().open(path, { readOnly: true }),
  );
  connection.exec("begin");
  return {
    dialect: connection.dialect,
    query: (statement) => connection.query(statement),
    [Symbol.dispose]: () => connection.close(),
  };
}

export class Connection implements Queryable {
  readonly dialect = SQLITE;
  readonly #connection: SqliteConnection;
  readonly #statements = new Map<string, SqliteStatement>();

  constructor(connection: SqliteConnection) {
    this.#connection = connection;
    // The reader may meet a checkpoint of the WAL; it waits rather than fails.
    connection.exec("pragma busy_timeout = 5000");
    const readNeedle = needleReader();
    connection.function(
      "json_contains",
      { deterministic: true },
      (column: string | null, needle: string) =>
        column !== null && jsonContains(JSON.parse(column), readNeedle(needle))
          ? 1
          : 0,
    );
    // SQLite's own lower() and like know the case of ASCII only.
    connection.function(
      "contains_text",
      { deterministic: true },
      (column: string | null, text: string) =>
        column !== null && column.toLowerCase().includes(text) ? 1 : 0,
    );
    connection.function(
      "json_merge",
      { deterministic: true },
      (column: string, patch: string) =>
        JSON.stringify(merged(JSON.parse(column), JSON.parse(patch))),
    );
    // For the triggers that keep the index of the metadata.
    connection.function(
      "metadata_entries",
      { deterministic: true },
      entriesReader(),
    );
  }

  get isTransaction(): boolean {
    return this.#connection.isTransaction;
  }

  configure(): void {
    this.exec("pragma journal_mode = wal");
    // Syncs around its checkpoints, which keep the file whole; the log after commits is for LogSync.
    this.exec("pragma synchronous = normal");
    this.exec("pragma foreign_keys = on");
    // 10,000 pages between checkpoints of the WAL: 12,578 -> 14,565 inserts/s where the design was measured.
    this.exec("pragma wal_autocheckpoint = 10000");
    // Each write of a group has a savepoint; what takes it back went to a temporary file page by page: a fifth of an insert.
    this.exec("pragma temp_store = memory");
  }

  exec(text: string): void {
    this.#connection.exec(text);
  }

  /** Never throws: on a disk that fails, a rollback may fail as well, and the writers after this one must still be heard. */
  rollback(): void {
    try {
      if (this.isTransaction) this.exec("rollback");
    } catch {
      // The next `begin` fails too, and its writers are told.
    }
  }

  async query<Row>(statement: Sql): Promise<Row[]> {
    const rows = this.run(textOf(statement), statement.values.map(encoded));
    return rows as Row[];
  }

  run(text: string, values: readonly unknown[]): Record<string, unknown>[] {
    let prepared = this.#statements.get(text);
    if (prepared === undefined) {
      prepared = this.#connection.prepare(text);
      this.#statements.set(text, prepared);
    }
    const rows = prepared.all(...values);
    for (const row of rows) decodeRow(row);
    return rows;
  }

  close(): void {
    this.#statements.clear();
    this.#connection.close();
  }
}

/** A handle that ends with its transaction, so that a forgotten await cannot write into somebody else's. */
class Transaction implements Queryable {
  readonly dialect = SQLITE;
  #connection: Connection | null;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  end(): void {
    this.#connection = null;
  }

  query<Row>(statement: Sql): Promise<Row[]> {
    if (this.#connection === null)
      return Promise.reject(
        new Error("query after the end of its transaction"),
      );
    return this.#connection.query<Row>(statement);
  }
}

const textOf = (statement: Sql): string => statement.text(() => "?");

function encoded(value: unknown): unknown {
  if (value instanceof JsonParameter) return value.toText();
  if (value instanceof Date) return value.getTime();
  if (value instanceof NearestParameter) return value.nearest;
  if (typeof value === "boolean") return value ? 1 : 0;
  if (value === undefined) throw new TypeError("undefined is no SQL parameter");
  return value;
}

/** Defined, not assigned: a member called `__proto__` is data like any other. */
function merged(target: object, patch: object): object {
  const result = Object.create(null) as Record<string, unknown>;
  for (const [key, value] of [
    ...Object.entries(target),
    ...Object.entries(patch),
  ])
    result[key] = value;
  return result;
}

/** https://sqlite.org/rescode.html; the low byte is the primary code. */
const SQLITE_IOERR = 10;
const SQLITE_FULL = 13;

/** NOTE: `all` of @photostructure/sqlite throws errors without `errcode`; their messages are SQLite's own. */
const CODES = new Map([
  ["disk I/O error", SQLITE_IOERR],
  ["database or disk is full", SQLITE_FULL],
]);

function primaryCode(cause: unknown): number | undefined {
  const { errcode, message = "" } = cause as {
    errcode?: number;
    message?: string;
  };
  return errcode === undefined ? CODES.get(message) : errcode & 0xff;
}

function translated(cause: unknown): unknown {
  const primary = primaryCode(cause);
  if (primary === SQLITE_FULL)
    return new AppError(
      "storage_full",
      "the disk that holds the data directory is full; free some space",
      { cause },
    );
  if (primary === SQLITE_IOERR)
    return new AppError(
      "unavailable",
      "the data directory cannot be written; see the server's log",
      { cause },
    );
  return cause;
}
