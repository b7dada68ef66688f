import type { Logger } from "../lib/logger.ts";
import { deleteOldTicks } from "../storage/cron-ticks.ts";
import type { Database, Queryable } from "../storage/database.ts";
import { deleteOldSegments } from "../storage/event-segments.ts";
import { deleteEndedTemporaryThreads } from "../storage/run-queue.ts";
import { Duty } from "./duty.ts";

/** A short retention is swept for more often, so that it is kept to roughly. */
const MAX_SWEEP_MS = 30_000;
const MIN_SWEEP_MS = 1000;

/** Rows per transaction: a sweep never holds up a request for long. */
const BATCH = 200;

/** How long the hidden thread of a stateless run stays for readers that are still reading its stream. */
const TEMPORARY_MS = 60_000;

/** No clock is set back by more. */
const TICKS_MS = 86_400_000;

type Remove = (
  tx: Queryable,
  of: { before: Date; limit: number },
) => Promise<number>;

/** Deletes what has served its time: streams past their retention, threads of stateless runs, ticks of crons. */
export function retention(deps: {
  database: Database;
  log: Logger;
  streamRetentionMs: number;
}): Duty {
  const { database, streamRetentionMs } = deps;
  const rules: [ageMs: number, remove: Remove][] = [
    [streamRetentionMs, (tx, { before: olderThan, limit }) => deleteOldSegments(tx, { olderThan, limit })], // prettier-ignore
    [TEMPORARY_MS, (tx, { before: endedBefore, limit }) => deleteEndedTemporaryThreads(tx, { endedBefore, limit })], // prettier-ignore
    [TICKS_MS, (tx, { before: firedBefore, limit }) => deleteOldTicks(tx, { firedBefore, limit })], // prettier-ignore
  ];
  const work = async (signal: AbortSignal): Promise<null> => {
    for (const [ageMs, remove] of rules) {
      const before = new Date(Date.now() - ageMs);
      const some = () =>
        database.transaction((tx) => remove(tx, { before, limit: BATCH }));
      while (!signal.aborted && (await some()) === BATCH);
    }
    return null;
  };
  const everyMs = Math.min(
    Math.max(streamRetentionMs / 2, MIN_SWEEP_MS),
    MAX_SWEEP_MS,
  );
  return new Duty(deps, { name: "retention", everyMs, work });
}
