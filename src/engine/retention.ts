import type { Logger } from "../lib/logger.ts";
import type { Database } from "../storage/database.ts";
import { deleteOldSegments } from "../storage/event-segments.ts";
import { deleteEndedTemporaryThreads } from "../storage/run-queue.ts";

/** A short retention is swept for more often, so that it is kept to roughly. */
const MAX_SWEEP_MS = 30_000;
const MIN_SWEEP_MS = 1000;

/** Rows per transaction: a sweep never holds up a request for long. */
const BATCH = 200;

/** How long the hidden thread of a stateless run stays for readers that are still reading its stream. */
const TEMPORARY_MS = 60_000;

/** Deletes what has served its time: streams past their retention, threads of stateless runs. Returns the function that stops it. */
export function startRetention(deps: {
  database: Database;
  log: Logger;
  streamRetentionMs: number;
}): () => void {
  const { database, log, streamRetentionMs } = deps;
  const everyMs = Math.min(
    Math.max(streamRetentionMs / 2, MIN_SWEEP_MS),
    MAX_SWEEP_MS,
  );
  const timer = setInterval(() => {
    sweep(database, streamRetentionMs).catch((cause: unknown) =>
      log.error({ err: cause }, "the sweep failed"),
    );
  }, everyMs);
  return () => clearInterval(timer);
}

async function sweep(
  database: Database,
  streamRetentionMs: number,
): Promise<void> {
  const before = (ms: number) => new Date(Date.now() - ms);
  await inBatches((limit) =>
    database.transaction((tx) =>
      deleteOldSegments(tx, { olderThan: before(streamRetentionMs), limit }),
    ),
  );
  await inBatches((limit) =>
    database.transaction((tx) =>
      deleteEndedTemporaryThreads(tx, {
        endedBefore: before(TEMPORARY_MS),
        limit,
      }),
    ),
  );
}

async function inBatches(
  remove: (limit: number) => Promise<number>,
): Promise<void> {
  while ((await remove(BATCH)) === BATCH);
}
