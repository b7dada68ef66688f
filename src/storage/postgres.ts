import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import type { Logger } from "../lib/logger.ts";
import { unavailable } from "../model/errors.ts";
import type { Database, Part, Queryable } from "./database.ts";
import { connectionTo } from "./postgres-address.ts";
import { atOnce, failedPart } from "./postgres-at-once.ts";
import { POSTGRES } from "./postgres-dialect.ts";
import { isInvalidParameter, translated } from "./postgres-errors.ts";
import { PostgresHints } from "./postgres-hints.ts";
import { AWAY_BACKOFF, patiently } from "./postgres-patience.ts";
import { Statements } from "./postgres-statements.ts";
import { isCommitted, OUTCOME, type OutcomeRow } from "./postgres-outcome.ts";
import { PostgresTransaction, UnknownOutcome } from "./postgres-transaction.ts";
import type { Sql } from "./sql.ts";

/*
 * A pool of connections, each held for the length of one statement or one
 * transaction, never for the length of a run. While the database restarts,
 * callers wait for it and go on; a transaction whose commit was cut off is
 * looked up by its id, so that nobody is told that it failed when it did not.
 */

export interface PostgresOptions {
  uri: string;
  /** Where to listen when `uri` leads to a pooler that shares connections between transactions. */
  directUri?: string | null;
  /** Connections at most. */
  poolSize: number;
  /** `uri` leads to a pooler: settings of a session are anybody's. */
  isPooled?: boolean;
  /** False behind a pooler that does not know prepared statements. */
  prepares: boolean;
  durability: "full" | "relaxed";
  log: Logger;
}

export class PostgresDatabase implements Database {
  readonly dialect = POSTGRES;
  readonly isExclusive = false;
  readonly driverName = "pg";
  readonly #pool: pg.Pool;
  readonly #hints: PostgresHints;
  readonly #statements: Statements;
  readonly #isRelaxedByTransaction: boolean;
  #isClosed = false;

  constructor(options: PostgresOptions) {
    const { uri, directUri, poolSize, log, isPooled = false } = options;
    const isRelaxed = options.durability === "relaxed";
    this.#isRelaxedByTransaction = isRelaxed && isPooled;
    this.#statements = new Statements(options.prepares);
    this.#pool = new pg.Pool({
      ...connectionTo(uri),
      max: poolSize,
      pipeline: true,
      ...(isRelaxed && !isPooled
        ? { options: "-c synchronous_commit=off" }
        : {}),
    });
    // An idle connection that breaks is replaced when it is needed.
    this.#pool.on("error", (cause) =>
      log.debug({ err: cause }, "a connection to the database was lost"),
    );
    // The pool listens to idle ones only; of one that is in use, the next statement tells.
    this.#pool.on("connect", (client) => client.on("error", () => {}));
    this.#hints = new PostgresHints({
      open: () =>
        new pg.Client({
          ...connectionTo(directUri ?? uri),
          pipeline: true,
        }),
      isShared: isPooled && !directUri,
      log,
    });
  }

  get pollMs(): number {
    return this.#hints.pollMs;
  }

  query<Row>(statement: Sql): Promise<Row[]> {
    return this.#patiently(async () => {
      const client = await this.#pool.connect();
      try {
        const rows = await this.#statements.run<Row>(client, statement);
        client.release();
        return rows;
      } catch (cause) {
        client.release(true);
        throw cause;
      }
    });
  }

  write<Row>(statement: Sql): Promise<Row[]> {
    return this.query(statement);
  }

  writeAtOnce(parts: readonly Part[]): Promise<number | null> {
    const statement = atOnce(parts);
    return this.#patiently(async () => {
      const client = await this.#pool.connect();
      try {
        await this.#statements.run(client, statement);
        client.release();
        return null;
      } catch (cause) {
        const failed = failedPart(cause);
        client.release(failed === null);
        if (failed === null) throw cause;
        return failed;
      }
    });
  }

  /** Statements do not hold up the event loop here. */
  queryAside<Row>(statement: Sql): Promise<Row[]> {
    return this.query(statement);
  }

  async enableVectors(): Promise<void> {
    try {
      await this.script("create extension if not exists vector");
    } catch (cause) {
      throw new Error(
        "store.index of langgraph.json needs the extension pgvector, which this Postgres does not have or does not let us create: install it (Debian: postgresql-NN-pgvector), run `create extension vector` as an administrator, or take store.index away",
        { cause },
      );
    }
  }

  transaction<T>(fn: (tx: Queryable) => Promise<T>): Promise<T> {
    return this.#patiently(async () => {
      const client = await this.#pool.connect();
      const tx = new PostgresTransaction(client, this.#statements, {
        isRelaxed: this.#isRelaxedByTransaction,
      });
      try {
        const value = await tx.run(fn);
        client.release();
        return value;
      } catch (cause) {
        client.release(tx.isSpoilt);
        if (cause instanceof UnknownOutcome) return this.#settle<T>(cause);
        throw cause;
      }
    });
  }

  /** Calls `fn` with the database as it is at its first statement, whatever others commit meanwhile. */
  async snapshot<T>(fn: (db: Queryable) => Promise<T>): Promise<T> {
    const client = await this.#pool.connect();
    try {
      await client.query("begin isolation level repeatable read read only");
      return await fn({
        dialect: POSTGRES,
        query: (statement) => this.#statements.run(client, statement),
      });
    } catch (cause) {
      throw translated(cause);
    } finally {
      client.release(true); // which ends the transaction
    }
  }

  /** A commit is answered when it is on the disk. */
  durable(): Promise<void> {
    return Promise.resolve();
  }

  listen(
    channel: string,
    fn: (payload: string) => void,
    onGap?: () => void,
  ): () => void {
    return this.#hints.listen(channel, fn, onGap);
  }

  notify(channel: string, payload: string): void {
    this.#hints.notify(channel, payload);
  }

  /** Runs a script of several statements at once; only migrations do. */
  async script(text: string): Promise<void> {
    await this.#patiently(() => this.#pool.query(text));
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#hints.close();
    await this.#pool.end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #patiently<T>(fn: () => Promise<T>): Promise<T> {
    return patiently(() => {
      if (this.#isClosed) throw unavailable("the database is closed");
      return fn();
    });
  }

  /** The connection was lost in a commit: the database knows what became of it. */
  async #settle<T>({ identity, value, cause }: UnknownOutcome): Promise<T> {
    for (;;) {
      const found = await this.#patiently(() => this.#outcomeOf(identity.xid));
      if (found !== null && isCommitted(identity, found)) return value as T;
      if (found?.outcome !== "in progress") throw cause; // it was rolled back, and may be tried again
      await sleep(AWAY_BACKOFF.firstMs);
    }
  }

  async #outcomeOf(xid: string): Promise<OutcomeRow | null> {
    try {
      const { rows } = await this.#pool.query<OutcomeRow>(OUTCOME, [xid]);
      return rows[0] ?? null;
    } catch (cause) {
      // A crash has taken all of it, so that the id has not been given out yet.
      if (isInvalidParameter(cause)) return null;
      throw cause;
    }
  }
}
