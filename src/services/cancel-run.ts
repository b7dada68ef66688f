import type { Caller } from "../auth/caller.ts";
import { conflict, notFound, notImplemented } from "../model/errors.ts";
import type { CancelAction } from "../model/run.ts";
import { CHANNELS } from "../storage/channels.ts";
import {
  cancelWaitingRun,
  hasUnfinishedRun,
  promoteNext,
  requestCancel,
} from "../storage/run-queue.ts";
import { getRun } from "../storage/runs.ts";
import { restoreThreadStatus } from "../storage/thread-turn.ts";
import { lockThread } from "../storage/threads.ts";
import { untilEnded } from "../stream/run-end.ts";
import type { ServiceDeps } from "./deps.ts";

export interface CancelParams {
  thread_id: string;
  run_id: string;
  action: CancelAction;
  /** Resolve only when the run has ended. */
  wait: boolean;
  reason: string | null;
  signal: AbortSignal;
}

/**
 * Stops a run: one that waits ends at once, one that runs gets its abort
 * signal. Throws 404 for an unknown run, 409 for one that has ended.
 */
export async function cancelRun(
  deps: Pick<ServiceDeps, "database">,
  caller: Caller,
  params: CancelParams,
): Promise<void> {
  const { database } = deps;
  const { thread_id, run_id } = params;
  if (params.action === "rollback")
    throw notImplemented("cancel with action rollback");
  const outcome = await database.transaction(async (tx) => {
    const thread = await lockThread(tx, thread_id, caller.access);
    const run = thread && (await getRun(tx, params, caller.access));
    if (run === null) throw notFound("Run not found");
    if ((await cancelWaitingRun(tx, params)) !== null) {
      await promoteNext(tx, thread_id);
      if (!(await hasUnfinishedRun(tx, thread_id)))
        await restoreThreadStatus(tx, thread_id);
      return "ended";
    }
    if ((await requestCancel(tx, params)) !== null) return "stopping";
    throw conflict(`Run ${run_id} has ended already with status ${run.status}`);
  });
  if (outcome === "ended") {
    database.notify(CHANNELS.finished, run_id);
    database.notify(CHANNELS.runs, thread_id);
    return;
  }
  database.notify(CHANNELS.cancels, run_id);
  if (params.wait) await untilEnded(database, run_id, params.signal);
}
