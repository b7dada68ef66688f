import type { Caller } from "../auth/caller.ts";
import { uuid7 } from "../lib/uuid.ts";
import { conflict } from "../model/errors.ts";
import type { Thread } from "../model/thread.ts";
import { copyCheckpoints } from "../storage/checkpoints.ts";
import { holdRuns } from "../storage/run-queue.ts";
import { copyThread as copyThreadRow, lockThread } from "../storage/threads.ts";
import type { ServiceDeps } from "./deps.ts";

/** The same history under another id; runs stay behind. What happens to one of the two later does not reach the other. */
export async function copyThread(
  { database, defaultTtl }: Pick<ServiceDeps, "database" | "defaultTtl">,
  caller: Caller,
  threadId: string,
): Promise<Thread> {
  const copyId = uuid7();
  const copy = await database.transaction(async (tx) => {
    // Held, so that a run cannot put a checkpoint between the row and its history, or between the parts of that.
    if ((await lockThread(tx, threadId, caller.access)) === null) return null;
    await holdRuns(tx, threadId);
    const row = await copyThreadRow(tx, threadId, caller.access, {
      thread_id: copyId,
      ttl: defaultTtl,
    });
    await copyCheckpoints(tx, threadId, copyId);
    return row;
  });
  // 409, not 404: what clients of this endpoint have always been told.
  if (copy === null) throw conflict("Thread not found");
  return copy;
}
