import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "../lib/logger.ts";
import type { ThreadSweep } from "../model/thread.ts";
import { CHANNELS } from "../storage/channels.ts";
import { pruneCheckpoints } from "../storage/checkpoints.ts";
import type { Database } from "../storage/database.ts";
import {
  deleteThreads,
  lockExpiredThreads,
  settleThreads,
  type ExpiredThread,
} from "../storage/thread-expiry.ts";
import { Duty } from "./duty.ts";

/** How long a transaction is to take: whoever else wants to write waits for it. */
const BATCH_MS = 4;

const MAX_BATCH = 100;

interface ExpiryDeps {
  database: Database;
  log: Logger;
}

/** Does with expired threads what they, or langgraph.json, have asked for. */
export const threadExpiry = (deps: ExpiryDeps, sweep: ThreadSweep): Duty =>
  new Duty(deps, {
    name: "thread-expiry",
    everyMs: sweep.every_minutes * 60_000,
    work: async (signal) => {
      await sweepThreads(deps, sweep.limit, signal);
      return null;
    },
  });

/**
 * A batch is as large as can be done in a few milliseconds, and is followed by
 * a pause as long as it has taken: a sweep has half of the database at most,
 * and others have the rest.
 */
export async function sweepThreads(
  { database, log }: ExpiryDeps,
  limit: number,
  signal: AbortSignal,
): Promise<void> {
  const started = performance.now();
  let swept = 0;
  let size = 1;
  while (swept < limit && !signal.aborted) {
    const start = performance.now();
    const batch = await expire(database, Math.min(size, limit - swept));
    if (batch.length === 0) break;
    swept += batch.length;
    const took = performance.now() - start;
    if (took > BATCH_MS) size = Math.ceil(size / 2);
    else if (took * 2 <= BATCH_MS) size = Math.min(size * 2, MAX_BATCH);
    await sleep(took, undefined, { signal }).catch(() => {}); // the loop looks at it
  }
  const ms = Math.round(performance.now() - started);
  if (swept > 0) log.info({ threads: swept, ms }, "expired threads were swept");
}

async function expire(
  database: Database,
  limit: number,
): Promise<ExpiredThread[]> {
  const of = (threads: ExpiredThread[], strategy: string) =>
    threads
      .filter(({ ttl_strategy }) => ttl_strategy === strategy)
      .map(({ thread_id }) => thread_id);
  const expired = await database.transaction(async (tx) => {
    const threads = await lockExpiredThreads(tx, limit);
    const [gone, kept] = [of(threads, "delete"), of(threads, "keep_latest")];
    if (gone.length > 0) await deleteThreads(tx, gone);
    for (const threadId of kept) await pruneCheckpoints(tx, threadId);
    if (kept.length > 0) await settleThreads(tx, kept);
    return threads;
  });
  for (const threadId of of(expired, "delete"))
    database.notify(CHANNELS.deleted, threadId);
  return expired;
}
