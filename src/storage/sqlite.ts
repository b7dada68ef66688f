import { EventEmitter } from "node:events";
import { unavailable } from "../model/errors.ts";
import type { Database, Part, Queryable } from "./database.ts";
import { SqliteAside } from "./sqlite-aside.ts";
import { Connection, encoded, textOf } from "./sqlite-connection.ts";
import { SQLITE } from "./sqlite-dialect.ts";
import { defaultSqliteDriver, type SqliteDriver } from "./sqlite-driver.ts";
import { translated } from "./sqlite-errors.ts";
import { LogSync } from "./sqlite-sync.ts";
import type { Sql } from "./sql.ts";

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

  async writeAtOnce(parts: readonly Part[]): Promise<number | null> {
    try {
      await this.transaction((tx) => writeEach(tx, parts));
      return null;
    } catch (cause) {
      if (cause instanceof TooFewRows) return cause.index;
      throw cause;
    }
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

/** Nothing of the statements around it is to be stored. */
class TooFewRows extends Error {
  readonly index: number;

  constructor(index: number) {
    super(`statement ${index} has given too few rows`);
    this.index = index;
  }
}

async function writeEach(tx: Queryable, parts: readonly Part[]): Promise<void> {
  for (const [index, { statement, needs = 0 }] of parts.entries()) {
    const rows = await tx.query(statement);
    if (rows.length < needs) throw new TooFewRows(index);
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
