import type { Database, Queryable } from "../../../src/storage/database.ts";
import { seam } from "../seam.ts";
import { indexOfFailed, writeAtOnceIn } from "./at-once.ts";

/** What becomes of a statement. The commit of a transaction is the last statement of it. */
export type Fault = "is refused" | "is done and then refused" | "meets another";

export class InjectedError extends Error {}

/**
 * A database whose statements can be counted, and one of which fails. A
 * statement that meets another is one that a transaction failed with because
 * of another one: Postgres says so, and whoever gets it begins again.
 */
export class FaultyDatabase {
  /** Statements so far, the commits with them. */
  count = 0;
  readonly database: Database;
  readonly #fault: Fault;
  /** Which statement fails; 0: none. */
  readonly #at: number;
  readonly #afterCommit: () => Promise<void>;

  constructor(
    database: Database,
    params: {
      fault: Fault;
      at: number;
      afterCommit?: () => Promise<void>;
    },
  ) {
    this.#fault = params.fault;
    this.#at = params.at;
    this.#afterCommit = params.afterCommit ?? (() => Promise.resolve());
    this.database = seam(database, {
      query: (statement) =>
        // Nobody begins again for a single statement: it waits for nobody.
        params.fault === "meets another"
          ? database.query(statement)
          : this.#through(() => database.query(statement)),
      write: async (statement) => {
        const rows = await database.transaction((tx) =>
          this.#through(() => tx.query<never>(statement)),
        );
        await this.#afterCommit();
        return rows;
      },
      writeAtOnce: (parts) =>
        database
          .transaction((tx) => this.#through(() => writeAtOnceIn(tx, parts)))
          .then(this.#afterCommit)
          .then(() => null, indexOfFailed),
      transaction: async (fn) => {
        const value = await database.transaction(async (tx) => {
          const made = await fn(this.#faulty(tx));
          await this.#through(() => Promise.resolve());
          return made;
        });
        await this.#afterCommit();
        return value;
      },
    });
  }

  #faulty(tx: Queryable): Queryable {
    return {
      dialect: tx.dialect,
      query: (statement) => this.#through(() => tx.query(statement)),
    };
  }

  async #through<T>(work: () => Promise<T>): Promise<T> {
    this.count += 1;
    if (this.count !== this.#at) return work();
    if (this.#fault === "is done and then refused") await work();
    const error = new InjectedError(`statement ${this.#at} ${this.#fault}`);
    throw this.#fault === "meets another"
      ? Object.assign(error, { code: "40001" })
      : error;
  }
}
