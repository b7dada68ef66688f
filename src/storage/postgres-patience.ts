import { setTimeout as sleep } from "node:timers/promises";
import { backoffMs } from "../lib/backoff.ts";
import {
  isContention,
  isDisconnection,
  translated,
} from "./postgres-errors.ts";

/** How long a caller waits for a database that is away. Below the patience of clients, above a restart. */
const PATIENCE_MS = 12_000;
export const AWAY_BACKOFF = { firstMs: 50, maxMs: 1000 };

/** Deadlocks and serialization failures in a row before somebody is told. */
const MAX_CONTENTIONS = 10;
const CONTENTION_BACKOFF = { firstMs: 5, maxMs: 200 };

/** Again while another transaction is in the way, and while the database is away. */
export async function patiently<T>(fn: () => Promise<T>): Promise<T> {
  const until = Date.now() + PATIENCE_MS;
  for (let attempt = 1; ; attempt += 1)
    try {
      return await fn();
    } catch (cause) {
      const mayTryAgain = isContention(cause)
        ? attempt <= MAX_CONTENTIONS
        : isDisconnection(cause) && Date.now() < until;
      if (!mayTryAgain) throw translated(cause);
      const bounds = isContention(cause) ? CONTENTION_BACKOFF : AWAY_BACKOFF;
      await sleep(backoffMs(attempt, bounds));
    }
}
