import type { CancelAction } from "../model/run.ts";
import type { Database, Queryable } from "../storage/database.ts";
import { CHANNELS } from "../storage/channels.ts";
import {
  cancelWaitingRun,
  deleteWaitingRun,
  requestCancel,
} from "../storage/run-queue.ts";
import { undoRun } from "../storage/run-undo.ts";

/** Runs that a transaction has stopped, to be told after its commit. */
export interface Stopped {
  /** There and then, or gone. */
  ended: string[];
  /** Their workers are to end them. */
  stopping: string[];
}

/**
 * Stops a run of a locked thread: one that has not started ends at once, one
 * that has gets its abort signal. The caller passes the turn on. Null: it has
 * ended before.
 */
export async function stopRun(
  tx: Queryable,
  run: {
    thread_id: string;
    run_id: string;
    action: CancelAction;
    reason: string | null;
  },
): Promise<keyof Stopped | null> {
  const hasEnded =
    run.action === "rollback"
      ? await removeWaiting(tx, run)
      : (await cancelWaitingRun(tx, run)) !== null;
  if (hasEnded) return "ended";
  return (await requestCancel(tx, run)) === null ? null : "stopping";
}

async function removeWaiting(
  tx: Queryable,
  { thread_id, run_id }: { thread_id: string; run_id: string },
): Promise<boolean> {
  const removed = await deleteWaitingRun(tx, run_id);
  if (removed !== null && removed.attempt > 0)
    await undoRun(tx, thread_id, run_id);
  return removed !== null;
}

export function announceStopped(
  database: Database,
  threadId: string,
  { ended, stopping }: Stopped,
): void {
  for (const runId of stopping) database.notify(CHANNELS.cancels, runId);
  for (const runId of ended) database.notify(CHANNELS.finished, runId);
  database.notify(CHANNELS.runs, threadId);
}
