import { deleteRunCheckpoints } from "./checkpoints.ts";
import { restoreReplaced } from "./checkpoint-writes.ts";
import type { Queryable } from "./database.ts";
import { deleteSegmentsOf } from "./event-segments.ts";

/**
 * Takes back what a run has left in its thread, where no later run has built
 * on it: checkpoints, what it wrote to those of earlier runs, its stream.
 */
export async function undoRun(
  tx: Queryable,
  threadId: string,
  runId: string,
): Promise<void> {
  await deleteRunCheckpoints(tx, threadId, runId);
  await restoreReplaced(tx, threadId, runId);
  await deleteSegmentsOf(tx, {
    run_id: runId,
    upTo: Number.MAX_SAFE_INTEGER,
  });
}
