import type { PoolClient } from "pg";
import type { Queryable } from "./database.ts";
import { POSTGRES } from "./postgres-dialect.ts";
import { isDisconnection } from "./postgres-errors.ts";
import { ERA } from "./postgres-outcome.ts";
import type { Statements } from "./postgres-statements.ts";
import type { Sql } from "./sql.ts";

/** What a transaction is known by when its connection is gone. */
interface Identity {
  xid: string;
  /** Of the server: see postgres-outcome.ts. */
  era: string;
}

/** The connection was lost after the commit was sent. */
export class UnknownOutcome extends Error {
  readonly identity: Identity;
  /** What the transaction answers if it was committed. */
  readonly value: unknown;

  constructor(params: { identity: Identity; value: unknown; cause: unknown }) {
    super("the connection was lost in a commit", { cause: params.cause });
    this.identity = params.identity;
    this.value = params.value;
  }
}

/**
 * A transaction waits for nothing but its own statements. Whoever is silent in
 * the midst of one for so long stands still, or its machine has gone: what it
 * has locked is free again before its lease ends, so that others can take over.
 */
const SILENCE_MS = 5000;

/**
 * One transaction on a connection. It begins with its first statement, in the
 * same round trip, and asks for its own id there: with it the outcome of a
 * commit whose answer was lost can be looked up.
 */
export class PostgresTransaction implements Queryable {
  readonly dialect = POSTGRES;
  /** The connection is not to be used again. */
  isSpoilt = false;
  readonly #client: PoolClient;
  readonly #statements: Statements;
  readonly #settings: string[];
  #begun: Promise<Identity> | null = null;
  #hasEnded = false;
  #failure: unknown = null;

  /** `isRelaxed`: its commit does not wait for the disk. */
  constructor(
    client: PoolClient,
    statements: Statements,
    { isRelaxed }: { isRelaxed: boolean },
  ) {
    this.#client = client;
    this.#statements = statements;
    this.#settings = [
      `set_config('idle_in_transaction_session_timeout', '${SILENCE_MS}', true)`,
      ...(isRelaxed ? ["set_config('synchronous_commit', 'off', true)"] : []),
    ];
  }

  async run<T>(fn: (tx: Queryable) => Promise<T>): Promise<T> {
    let value: T;
    try {
      value = await fn(this);
    } catch (cause) {
      await this.#rollBack();
      throw cause;
    }
    await this.#commit(value);
    return value;
  }

  async query<Row>(statement: Sql): Promise<Row[]> {
    if (this.#hasEnded)
      throw new Error("query after the end of its transaction");
    this.#begun ??= this.#begin();
    try {
      return await this.#statements.run<Row>(this.#client, statement);
    } catch (cause) {
      // What was prepared behind a statement that failed was not; the driver believes that it was.
      this.isSpoilt = true;
      // Those sent behind it only say that the transaction is aborted.
      this.#failure ??= cause;
      throw this.#failure;
    }
  }

  #begin(): Promise<Identity> {
    const begun = this.#client
      .query<Identity>({
        text: `begin; select cast(pg_current_xact_id() as text) as xid, ${ERA} as era, ${this.#settings.join(", ")}`,
      })
      // Two statements in one, so two results.
      .then((results) => {
        const [, answer] = results as unknown as { rows: Identity[] }[];
        return answer?.rows[0] ?? { xid: "", era: "" };
      });
    begun.catch(() => {
      this.isSpoilt = true;
    });
    return begun;
  }

  async #commit(value: unknown): Promise<void> {
    this.#hasEnded = true;
    if (this.#begun === null) return;
    const identity = await this.#begun;
    try {
      const { command } = await this.#client.query("commit");
      if (command !== "COMMIT")
        throw new Error("a statement failed that nobody waited for");
    } catch (cause) {
      this.isSpoilt = true;
      if (isDisconnection(cause))
        throw new UnknownOutcome({ identity, value, cause });
      throw cause;
    }
  }

  async #rollBack(): Promise<void> {
    this.#hasEnded = true;
    if (this.#begun === null || this.isSpoilt) return;
    try {
      await this.#begun;
      await this.#client.query("rollback");
    } catch {
      this.isSpoilt = true;
    }
  }
}
