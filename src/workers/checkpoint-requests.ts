import { KeyedQueue } from "../lib/keyed-queue.ts";
import type { Fence } from "../model/run.ts";
import type {
  CheckpointRequests,
  CheckpointWrite,
} from "../protocol/checkpoint-frames.ts";
import type { RequestServer } from "../protocol/peer.ts";
import { notFound } from "../model/errors.ts";
import { readCheckpoints } from "../storage/checkpoint-reads.ts";
import { checkpointParts } from "../storage/checkpoint-parts.ts";
import {
  deleteCheckpoints,
  fenceRun,
  fencing,
  LeaseLostError,
  MissingValuesError,
  threadExists,
  writeCheckpoint,
} from "../storage/checkpoints.ts";
import type { Database, Part, Queryable } from "../storage/database.ts";
import type { Dialect } from "../storage/dialect.ts";
import { readDeltaHistory } from "../storage/delta-history.ts";

export interface CheckpointDeps {
  database: Database;
  /** Resolves when what the run has streamed is stored; null when it is. */
  streamStored?: (fence: Fence) => Promise<void> | null;
}

/**
 * Answers the savers of workers. What comes together is one fenced transaction.
 * What a step has streamed is stored before its checkpoint: from then on it is
 * not done again, and would not be streamed again.
 */
export function checkpointRequests(
  deps: CheckpointDeps,
): RequestServer<CheckpointRequests> {
  const { database, streamStored = () => null } = deps;
  const inOrder = new KeyedQueue(); // a write must not overtake one that waits for its stream
  return {
    "checkpoint.read": (query) => readCheckpoints(database, query),
    "checkpoint.deltaHistory": (query) => readDeltaHistory(database, query),
    "checkpoint.write": async ({ fence, writes, durable }) => {
      const answer = await inOrder.run(fence.run_id, async () => {
        await streamStored(fence);
        return storeWrites(database, fence, writes);
      });
      if (durable) await database.durable();
      return answer;
    },
    "checkpoint.deleteThread": ({ fence, thread_id }) =>
      database.transaction(async (tx) => {
        if ((await fenceRun(tx, fence, [])) === null) return "lost";
        await deleteCheckpoints(tx, thread_id);
        return "deleted";
      }),
  };
}

async function storeWrites(
  database: Database,
  fence: Fence,
  writes: readonly CheckpointWrite[],
): Promise<CheckpointRequests["checkpoint.write"]["result"]> {
  try {
    const parts = partsOf(database.dialect, fence, writes);
    // When it can't be stored so, the statements one by one tell why.
    if (parts === null || (await database.writeAtOnce(parts)) !== null)
      await database.transaction((tx) => storeRunWrites(tx, fence, writes));
    return "stored";
  } catch (cause) {
    if (cause instanceof LeaseLostError) return "lost";
    if (cause instanceof MissingValuesError) return "incomplete";
    await requireThreads(database, writes);
    throw cause;
  }
}

function partsOf(
  dialect: Dialect,
  fence: Fence,
  writes: readonly CheckpointWrite[],
): Part[] | null {
  const parts = checkpointParts(dialect, fence.run_id, writes);
  const fenced = { statement: fencing(dialect, fence, writes), needs: 1 };
  return parts && [fenced, ...parts];
}

/**
 * What a run stores, all of it or none. Throws MissingValuesError and
 * LeaseLostError. The fence and what it protects are sent at once: who has
 * lost the lease has written something, which goes with the transaction.
 */
export async function storeRunWrites(
  tx: Queryable,
  fence: Fence,
  writes: readonly CheckpointWrite[],
): Promise<void> {
  const [fenced, stored] = await Promise.allSettled([
    fenceRun(tx, fence, writes),
    Promise.all(
      writes.map((write) => writeCheckpoint(tx, write, fence.run_id)),
    ),
  ]);
  if (fenced.status === "rejected") throw fenced.reason;
  if (fenced.value === null) throw new LeaseLostError(fence);
  if (stored.status === "rejected") throw stored.reason;
}

/** A graph may call another one with a thread id of its own choosing. The database has refused it; this says why. */
async function requireThreads(
  db: Queryable,
  writes: readonly CheckpointWrite[],
): Promise<void> {
  const ids = writes.map((write) =>
    write.kind === "put" ? write.record.thread_id : write.thread_id,
  );
  for (const threadId of new Set(ids))
    if (!(await threadExists(db, threadId)))
      throw notFound(
        `Thread with ID ${threadId} not found; a graph can only save to threads that exist`,
      );
}
