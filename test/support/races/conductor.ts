import { setTimeout as delay } from "node:timers/promises";
import type { Database, Queryable } from "../../../src/storage/database.ts";
import { sql } from "../../../src/storage/sql.ts";
import { deferred, type Deferred } from "../../../src/lib/deferred.ts";
import { seam } from "../seam.ts";
import { indexOfFailed, writeAtOnceIn } from "./at-once.ts";

/*
 * Lets several operations go on at the same time, a statement each at its
 * turn:
 *
 *   at a gate ──chosen──► under way ──► at its next gate, or done
 *                             └── waits for a lock: the others go on meanwhile
 *
 * A statement has gates before it, and so has a commit. Who waits for a lock
 * is asked of the database, so that no time is spent on guessing.
 */

interface Actor {
  index: number;
  /** Null while it is under way. */
  gate: Deferred<void> | null;
  isDone: boolean;
  /** Of its open transaction. */
  pid: number | null;
}

/** Which of the parts that could go on goes on; `last` is the one that went before, if it could too. */
export type Choose = (ready: readonly number[], last: number | null) => number;

/** A statement that neither ends nor waits for a lock. */
const PATIENCE_MS = 20_000;

/** Who has not moved for so long waits for somebody. */
const STILL_MS = 60;

export class Conductor {
  readonly #database: Database;
  readonly #actors: Actor[] = [];
  /** What has happened, for the message of a failure. */
  readonly score: string[] = [];
  #moved = deferred<void>();

  constructor(database: Database) {
    this.#database = database;
  }

  /** The answers of the parts, in their order. */
  async play<Answer>(
    parts: readonly ((database: Database) => Promise<Answer>)[],
    choose: Choose,
  ): Promise<Answer[]> {
    const playing = parts.map((perform, index) => {
      const actor: Actor = { index, gate: null, isDone: false, pid: null };
      this.#actors.push(actor);
      return perform(this.#stepped(actor)).finally(() => {
        actor.isDone = true;
        this.#move();
      });
    });
    const all = Promise.all(playing);
    all.catch(() => {}); // it is heard of below
    let last: number | null = null;
    for (;;) {
      const ready = await this.#ready();
      if (ready.length === 0) break;
      const canGoOn: number | null =
        last !== null && ready.includes(last) ? last : null;
      last = choose(ready, canGoOn);
      this.score.push(String.fromCharCode(65 + last));
      const { gate } = this.#actors[last]!;
      this.#actors[last]!.gate = null;
      gate!.resolve();
    }
    return all;
  }

  #move(): void {
    this.#moved.resolve();
    this.#moved = deferred<void>();
  }

  /** Once nobody is under way but those who wait for a lock: who could go on. */
  async #ready(): Promise<number[]> {
    const end = Date.now() + PATIENCE_MS;
    let lastMove = Date.now();
    for (;;) {
      const underWay = this.#actors.filter(
        ({ gate, isDone }) => gate === null && !isDone,
      );
      const ready = this.#actors
        .filter(({ gate }) => gate !== null)
        .map(({ index }) => index);
      if (underWay.length === 0) return ready;
      const moved = this.#moved.promise;
      const hasMoved = await Promise.race([
        moved.then(() => true),
        delay(LOOK_AFTER_MS, false),
      ]);
      if (hasMoved) lastMove = Date.now();
      // When all of them wait for each other the database ends one of them.
      if (!hasMoved && ready.length > 0 && (await this.#areBlocked(underWay)))
        return ready;
      // Who waits for another in this process is in no table of locks.
      if (ready.length > 0 && Date.now() - lastMove > STILL_MS) return ready;
      if (Date.now() > end) throw new Error(`no end: ${this.score.join("")}`);
    }
  }

  /** By the table of locks: a backend that has just been given one may look as if it still waited. */
  async #areBlocked(underWay: readonly Actor[]): Promise<boolean> {
    const rows = await this.#database.query<{ pid: number }>(
      sql`select distinct pid from pg_locks where not granted`,
    );
    const waiting = new Set(rows.map(({ pid }) => pid));
    return underWay.every(
      ({ gate, isDone, pid }) =>
        gate === null && !isDone && pid !== null && waiting.has(pid),
    );
  }

  /** An operation that does several things at once does them one after the other here. */
  async #turn(actor: Actor): Promise<void> {
    while (actor.gate !== null) await actor.gate.promise;
    actor.gate = deferred<void>();
    const { promise } = actor.gate;
    this.#move();
    await promise;
  }

  #stepped(actor: Actor): Database {
    const database = this.#database;
    return seam(database, {
      query: async (statement) => {
        await this.#turn(actor);
        return database.query(statement);
      },
      write: (statement) =>
        this.#inTransaction(actor, (tx) => tx.query(statement)),
      writeAtOnce: (parts) =>
        this.#inTransaction(actor, (tx) => writeAtOnceIn(tx, parts)).then(
          () => null,
          indexOfFailed,
        ),
      transaction: (fn) =>
        this.#inTransaction(actor, async (tx) => {
          const value = await fn(tx);
          await this.#turn(actor);
          return value;
        }),
    });
  }

  /** So that it is known on which connection it waits. */
  #inTransaction<T>(
    actor: Actor,
    work: (tx: Queryable) => Promise<T>,
  ): Promise<T> {
    return this.#database.transaction(async (tx) => {
      const [row] = await tx.query<{ pid: number }>(
        sql`select pg_backend_pid() as pid`,
      );
      actor.pid = row!.pid;
      try {
        return await work(this.#steppedIn(tx, actor));
      } finally {
        actor.pid = null;
      }
    });
  }

  #steppedIn(tx: Queryable, actor: Actor): Queryable {
    return {
      dialect: tx.dialect,
      query: async (statement) => {
        await this.#turn(actor);
        return tx.query(statement);
      },
    };
  }
}

const LOOK_AFTER_MS = 3;
