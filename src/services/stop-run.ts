import type { CancelAction } from "../model/run.ts";
import { CHANNELS } from "../storage/channels.ts";
import type { Database, Queryable } from "../storage/database.ts";
import {
  cancelWaitingRun,
  deleteWaitingRun,
  requestCancel,
} from "../storage/run-queue.ts";
import { undoRun } from "../storage/run-undo.ts";
import { takeBackTurn } from "../storage/thread-turn.ts";
import { insertDelivery } from "../storage/webhook-deliveries.ts";

/** Runs that a transaction has stopped, to be told after its commit. */
export interface Stopped {
  /** There and then, or gone. */
  ended: string[];
  /** Their workers are to end them. */
  stopping: string[];
}

interface Stop {
  thread_id: string;
  action: CancelAction;
  reason: string | null;
}

/** Stops runs of a locked thread, and passes its turn on. Those that have ended before are left out of the answer. */
export async function stopRuns(
  tx: Queryable,
  { run_ids, ...stop }: Stop & { run_ids: readonly string[] },
): Promise<Stopped> {
  const stopped: Stopped = { ended: [], stopping: [] };
  for (const run_id of run_ids) {
    const outcome = await stopRun(tx, { ...stop, run_id });
    if (outcome !== null) stopped[outcome].push(run_id);
  }
  if (stopped.ended.length > 0) await takeBackTurn(tx, stop.thread_id);
  return stopped;
}

/**
 * One that has not started ends at once, one that has gets its abort signal.
 * The caller passes the turn on. Null: it has ended before.
 */
export async function stopRun(
  tx: Queryable,
  run: Stop & { run_id: string },
): Promise<keyof Stopped | null> {
  const hasEnded =
    run.action === "rollback"
      ? await removeWaiting(tx, run)
      : await endWaiting(tx, run);
  if (hasEnded) return "ended";
  return (await requestCancel(tx, run)) === null ? null : "stopping";
}

async function endWaiting(
  tx: Queryable,
  run: { run_id: string; reason: string | null },
): Promise<boolean> {
  const ended = await cancelWaitingRun(tx, run);
  const { webhook = null } = ended ?? {};
  if (webhook !== null) {
    const nothing = { values: null, error: null };
    await insertDelivery(tx, { run_id: run.run_id, webhook, ...nothing });
  }
  return ended !== null;
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
  if (ended.length > 0) database.notify(CHANNELS.webhooks, threadId); // there may be one
  database.notify(CHANNELS.runs, threadId);
}
