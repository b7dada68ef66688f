import type { Caller } from "../auth/caller.ts";
import { conflict, notFound } from "../model/errors.ts";
import type { CancelAction } from "../model/run.ts";
import { getRun } from "../storage/runs.ts";
import { lockThread } from "../storage/threads.ts";
import { untilEnded } from "../stream/run-end.ts";
import type { RunDeps } from "./run-deps.ts";
import { announceStopped, stopRuns } from "./stop-run.ts";

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
 * signal. With `rollback` it is gone then, and its thread as it was before.
 * Throws 404 for an unknown run, 409 for one that has ended.
 */
export async function cancelRun(
  deps: Pick<RunDeps, "database" | "events">,
  caller: Caller,
  params: CancelParams,
): Promise<void> {
  const { database } = deps;
  const { thread_id, run_id } = params;
  const stopped = await database.transaction(async (tx) => {
    const thread = await lockThread(tx, thread_id, caller.access);
    const run = thread && (await getRun(tx, params, caller.access));
    if (run === null) throw notFound("Run not found");
    const stopped = await stopRuns(tx, { ...params, run_ids: [run_id] });
    if (stopped.ended.length + stopped.stopping.length > 0) return stopped;
    throw conflict(`Run ${run_id} has ended already with status ${run.status}`);
  });
  announceStopped(database, thread_id, stopped);
  if (params.wait) await untilEnded(deps, params, params.signal);
}
