import type { Caller } from "../auth/caller.ts";
import type { ThreadPrune } from "../model/thread-requests.ts";
import { CHANNELS } from "../storage/channels.ts";
import { pruneCheckpoints } from "../storage/checkpoints.ts";
import type { Database, Queryable } from "../storage/database.ts";
import {
  cancelWaitingRun,
  hasUnfinishedRun,
  requestCancel,
} from "../storage/run-queue.ts";
import { listUnfinishedRuns } from "../storage/runs.ts";
import {
  deleteThread as deleteThreadRow,
  lockThread,
} from "../storage/threads.ts";
import type { ServiceDeps } from "./deps.ts";
import { threadNotFound } from "./threads.ts";

type Deps = Pick<ServiceDeps, "database">;

export async function deleteThread(
  { database }: Deps,
  caller: Caller,
  threadId: string,
): Promise<void> {
  if (!(await removeThread(database, caller, threadId)))
    throw threadNotFound(threadId);
}

/** False when the thread is missing or hidden. */
async function removeThread(
  database: Database,
  caller: Caller,
  threadId: string,
): Promise<boolean> {
  const stopped = await database.transaction((tx) =>
    deleteOrStop(tx, caller, threadId),
  );
  if (stopped === null) return false;
  for (const runId of stopped.running) database.notify(CHANNELS.cancels, runId);
  if (stopped.running.length > 0)
    await database.transaction((tx) =>
      deleteThreadRow(tx, threadId, caller.access),
    );
  // Whoever waits for one of its runs wakes up and finds it gone.
  for (const runId of stopped.all) database.notify(CHANNELS.finished, runId);
  database.notify(CHANNELS.deleted, threadId);
  return true;
}

interface Stopped {
  running: string[];
  all: string[];
}

/**
 * Deletes a thread on which nothing runs. A running run is told to stop while
 * its row is there to tell it, so that its graph ends now and not at its next
 * write, which the fence would refuse; the thread is deleted after that. Null
 * when the thread is missing or hidden.
 */
async function deleteOrStop(
  tx: Queryable,
  caller: Caller,
  threadId: string,
): Promise<Stopped | null> {
  const reason = "the thread was deleted";
  if ((await lockThread(tx, threadId, caller.access)) === null) return null;
  const stopped: Stopped = { running: [], all: [] };
  for (const { run_id, q } of await listUnfinishedRuns(tx, threadId)) {
    stopped.all.push(run_id);
    if (q === "running") {
      stopped.running.push(run_id);
      await requestCancel(tx, { run_id, action: "interrupt", reason });
    } else await cancelWaitingRun(tx, { run_id, reason });
  }
  if (stopped.running.length === 0)
    await deleteThreadRow(tx, threadId, caller.access);
  return stopped;
}

/** Threads that are pruned at once; their commits share one fsync. */
const PRUNE_BATCH = 50;

/**
 * Each thread in a transaction of its own, so that many of them hold up nobody
 * for long. Returns how many there were to prune: unknown ids do not count.
 */
export async function pruneThreads(
  { database }: Deps,
  caller: Caller,
  { thread_ids, strategy }: ThreadPrune,
): Promise<number> {
  const prune = strategy === "delete" ? removeThread : keepLatest;
  const ids = [...new Set(thread_ids)];
  let pruned = 0;
  for (let start = 0; start < ids.length; start += PRUNE_BATCH) {
    const batch = ids.slice(start, start + PRUNE_BATCH);
    const done = await Promise.all(
      batch.map((threadId) => prune(database, caller, threadId)),
    );
    pruned += done.filter(Boolean).length;
  }
  return pruned;
}

/**
 * NOTE: a thread with an unfinished run is left as it is and not counted: the
 * run may start from, or build on, any checkpoint of the thread.
 */
async function keepLatest(
  database: Database,
  caller: Caller,
  threadId: string,
): Promise<boolean> {
  return database.transaction(async (tx) => {
    const thread = await lockThread(tx, threadId, caller.access);
    if (thread === null || (await hasUnfinishedRun(tx, threadId))) return false;
    await pruneCheckpoints(tx, threadId);
    return true;
  });
}
