import type { Caller } from "../auth/caller.ts";
import { KeyedQueue } from "../lib/keyed-queue.ts";
import { badRequest, conflict, notFound } from "../model/errors.ts";
import type { ThreadStateUpdate } from "../model/thread-state-requests.ts";
import type { CheckpointRef } from "../model/thread-state.ts";
import type { StagedUpdate, StateTarget } from "../protocol/state-frames.ts";
import { MissingValuesError, writeCheckpoint } from "../storage/checkpoints.ts";
import type { Database, Queryable } from "../storage/database.ts";
import { hasActiveRun, readHead } from "../storage/thread-head.ts";
import {
  atRest,
  findThread,
  lockThread,
  setThreadSnapshot,
  type ThreadHandle,
} from "../storage/threads.ts";
import type { Workers } from "../workers/port.ts";
import { checkpointRef, stateTarget } from "./state-target.ts";

/** Updates of one thread that come to this server wait for each other; those of other servers may overtake them. */
const queue = new KeyedQueue();

/** As many servers may update one thread at once: each try that fails was overtaken by one that was stored. */
const MAX_TRIES = 50;

/**
 * Returns the checkpoint that the update made. A thread with a run that waits
 * or runs is `conflict`. Two updates at once come one after the other: one that
 * was computed on an old state is computed again.
 */
export function updateState(
  deps: UpdateDeps,
  caller: Caller,
  threadId: string,
  request: ThreadStateUpdate,
): Promise<CheckpointRef> {
  return queue.run(threadId, () => update(deps, caller, threadId, request));
}

interface UpdateDeps {
  database: Database;
  workers: Workers;
}

async function update(
  deps: UpdateDeps,
  caller: Caller,
  threadId: string,
  request: ThreadStateUpdate,
): Promise<CheckpointRef> {
  for (let tries = 0; tries < MAX_TRIES; tries += 1) {
    const target = await updateTarget(deps.database, caller, threadId);
    const base = await stateOf(deps.database, threadId, request);
    const staged = await deps.workers.ask("state.update", {
      target,
      update: request.update,
      ...(request.checkpoint === undefined
        ? {}
        : { checkpoint: checkpointRef(request.checkpoint) }),
    });
    const outcome = await deps.database
      .transaction(async (tx) => {
        const thread = await lockThread(tx, threadId, caller.access);
        await requireIdle(tx, thread, threadId);
        if ((await stateOf(tx, threadId, request)) !== base) return "overtaken";
        await store(tx, threadId, staged);
        return "stored";
      })
      .catch(overtakenByPrune);
    if (outcome === "stored") return staged.checkpoint;
  }
  throw conflict(
    `Thread ${threadId} is updated by too many clients at once; try again`,
  );
}

/** Values that the update builds on may be gone by the time it is stored. */
function overtakenByPrune(cause: unknown): "overtaken" {
  if (cause instanceof MissingValuesError) return "overtaken";
  throw cause;
}

async function updateTarget(
  db: Queryable,
  caller: Caller,
  threadId: string,
): Promise<StateTarget> {
  const thread = await findThread(db, threadId, caller.access);
  // Asked before the worker is: nobody waits for what will be refused.
  const target = await stateTarget(db, await requireIdle(db, thread, threadId));
  if (target === null) throw badRequest(`Thread ${threadId} has no graph ID`);
  return target;
}

async function requireIdle(
  db: Queryable,
  thread: ThreadHandle | null,
  threadId: string,
): Promise<ThreadHandle> {
  if (thread === null) throw notFound(`Thread ${threadId} not found`);
  if (await hasActiveRun(db, threadId)) throw conflict("Thread is busy");
  return thread;
}

/** What the update is computed from: the newest state of the root graph, and of the subgraph if it is about one. */
async function stateOf(
  db: Queryable,
  threadId: string,
  { checkpoint }: ThreadStateUpdate,
): Promise<string> {
  const namespace = checkpoint?.checkpoint_ns ?? "";
  const namespaces = new Set(["", namespace, withoutTaskIds(namespace)]);
  const heads = [];
  for (const checkpoint_ns of namespaces)
    heads.push(await readHead(db, { thread_id: threadId, checkpoint_ns }));
  return JSON.stringify(heads);
}

/** Where a subgraph that keeps one history for the whole thread has it. */
const withoutTaskIds = (namespace: string): string =>
  namespace.replaceAll(/:[^|]*/g, "");

async function store(
  tx: Queryable,
  threadId: string,
  { writes, snapshot }: StagedUpdate,
): Promise<void> {
  for (const write of writes) await writeCheckpoint(tx, write, null);
  await setThreadSnapshot(tx, threadId, atRest(snapshot));
}
