import { KeyedQueue } from "../lib/keyed-queue.ts";
import type { Fence } from "../model/run.ts";
import type {
  CheckpointRequests,
  CheckpointWrite,
} from "../protocol/checkpoint-frames.ts";
import type { RequestServer } from "../protocol/peer.ts";
import { AppError, notFound } from "../model/errors.ts";
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
import { segmentInsert, type SegmentLoan } from "../storage/event-segments.ts";

export interface CheckpointDeps {
  database: Database;
  streams?: RunStreams;
}

/** Where it is known what runs have streamed. */
export interface RunStreams {
  /** What is to be stored of it; null when it is all stored. */
  lend(fence: Fence): Promise<SegmentLoan | null>;
  /** Resolves when it is stored; null when it is. */
  stored(fence: Fence): Promise<void> | null;
}

const NO_STREAMS: RunStreams = {
  lend: () => Promise.resolve(null),
  stored: () => null,
};

/**
 * Answers the savers of workers. What comes together is one fenced transaction.
 * What a step has streamed is stored with its checkpoint, if not before: from then
 * on it is not done again, and would not be streamed again.
 */
export function checkpointRequests(
  deps: CheckpointDeps,
): RequestServer<CheckpointRequests> {
  const { database, streams = NO_STREAMS } = deps;
  const inOrder = new KeyedQueue(); // a write must not overtake one that waits for its stream
  return {
    "checkpoint.read": (query) => readCheckpoints(database, query),
    "checkpoint.deltaHistory": (query) => readDeltaHistory(database, query),
    "checkpoint.write": async ({ fence, writes, durable }) => {
      const answer = await inOrder.run(fence.run_id, () =>
        store({ database, streams }, fence, writes),
      );
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

async function store(
  deps: Required<CheckpointDeps>,
  fence: Fence,
  writes: readonly CheckpointWrite[],
): Promise<CheckpointRequests["checkpoint.write"]["result"]> {
  const { database, streams } = deps;
  try {
    if (await storeAtOnce(deps, fence, writes)) return "stored";
    await streams.stored(fence);
    await database.transaction((tx) => storeRunWrites(tx, fence, writes));
    return "stored";
  } catch (cause) {
    if (cause instanceof LeaseLostError) return "lost";
    if (cause instanceof MissingValuesError) return "incomplete";
    await requireThreads(database, writes);
    throw cause;
  }
}

/** With the rest of the stream, in one write. False: it can't be done so, and the statements one by one tell why. */
async function storeAtOnce(
  { database, streams }: Required<CheckpointDeps>,
  fence: Fence,
  writes: readonly CheckpointWrite[],
): Promise<boolean> {
  const parts = partsOf(database.dialect, fence, writes);
  if (parts === null) return false;
  const loan = await streams.lend(fence);
  if (loan !== null)
    parts.push({ statement: segmentInsert(database.dialect, loan.segment) });
  let isStored = false;
  try {
    isStored = (await database.writeAtOnce(parts)) === null;
  } catch (cause) {
    // The stream may be at fault, or the database cannot be written at all.
    if (loan === null || cause instanceof AppError) throw cause;
  } finally {
    loan?.settle(isStored);
  }
  return isStored;
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
