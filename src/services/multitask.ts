import { conflict, notImplemented } from "../model/errors.ts";
import type { MultitaskStrategy } from "../model/run.ts";
import type { Queryable } from "../storage/database.ts";
import { cancelWaitingRun, requestCancel } from "../storage/run-queue.ts";
import { listUnfinishedRuns } from "../storage/runs.ts";

/** What making room for a new run has changed, to be told after the commit. */
export interface Room {
  /** Somebody has the thread's turn, so the new run waits behind. */
  isTurnTaken: boolean;
  ended: string[];
  stopping: string[];
}

/**
 * Applies the strategy to the runs of a locked thread that have not ended.
 * Throws 409 for `reject`.
 */
export async function makeRoom(
  tx: Queryable,
  params: {
    thread_id: string;
    run_id: string;
    strategy: MultitaskStrategy;
  },
): Promise<Room> {
  const unfinished = await listUnfinishedRuns(tx, params.thread_id);
  const room: Room = { isTurnTaken: false, ended: [], stopping: [] };
  if (unfinished.length > 0) assertAdmitted(params.strategy);
  for (const run of unfinished) {
    if (params.strategy === "interrupt")
      await interrupt(tx, run.run_id, params, room);
    else room.isTurnTaken ||= run.q !== "delayed";
  }
  return room;
}

function assertAdmitted(strategy: MultitaskStrategy): void {
  if (strategy === "reject")
    throw conflict(
      "Thread is already running a task. Wait for it to finish or choose a different multitask strategy.",
    );
  if (strategy === "rollback")
    throw notImplemented("multitask_strategy rollback");
}

/** Waiting runs end here; the one that runs is told to, and keeps its turn until it has. */
async function interrupt(
  tx: Queryable,
  run_id: string,
  params: { run_id: string },
  room: Room,
): Promise<void> {
  const reason = `superseded by run ${params.run_id}`;
  if ((await cancelWaitingRun(tx, { run_id, reason })) !== null) {
    room.ended.push(run_id);
    return;
  }
  await requestCancel(tx, { run_id, action: "interrupt", reason });
  room.stopping.push(run_id);
  room.isTurnTaken = true;
}
