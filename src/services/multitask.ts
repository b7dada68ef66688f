import { conflict } from "../model/errors.ts";
import type { MultitaskStrategy } from "../model/run.ts";
import type { Queryable } from "../storage/database.ts";
import type { UnfinishedRun } from "../storage/runs.ts";
import { stopRun, type Stopped } from "./stop-run.ts";

/** What making room for a new run has changed, to be told after the commit. */
export interface Room extends Stopped {
  /** Somebody has the thread's turn, so the new run waits behind. */
  isTurnTaken: boolean;
}

/**
 * Applies the strategy to the runs of a locked thread that have not ended.
 * Waiting runs end here; the one that runs is told to, and keeps its turn
 * until it has. Throws 409 for `reject`.
 */
export async function makeRoom(
  tx: Queryable,
  params: {
    thread_id: string;
    unfinished: readonly UnfinishedRun[];
    run_id: string;
    strategy: MultitaskStrategy;
  },
): Promise<Room> {
  const { thread_id, unfinished, strategy } = params;
  if (strategy === "reject" && unfinished.length > 0)
    throw conflict(
      "Thread is already running a task. Wait for it to finish or choose a different multitask strategy.",
    );
  const room: Room = { isTurnTaken: false, ended: [], stopping: [] };
  const reason = `superseded by run ${params.run_id}`;
  for (const { run_id, q } of unfinished) {
    if (strategy === "interrupt" || strategy === "rollback") {
      const run = { thread_id, run_id, action: strategy, reason };
      const outcome = await stopRun(tx, run);
      if (outcome !== null) room[outcome].push(run_id);
      room.isTurnTaken ||= outcome === "stopping";
    } else room.isTurnTaken ||= q !== "delayed";
  }
  return room;
}
