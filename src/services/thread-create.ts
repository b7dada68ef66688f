import type { Caller } from "../auth/caller.ts";
import { uuid7 } from "../lib/uuid.ts";
import { UNRESTRICTED } from "../model/access.ts";
import { badRequest, conflict } from "../model/errors.ts";
import type { ThreadCreate } from "../model/thread-requests.ts";
import type { Thread } from "../model/thread.ts";
import type { StagedUpdate, StateUpdate } from "../protocol/state-frames.ts";
import { writeCheckpoint } from "../storage/checkpoints.ts";
import type { Queryable } from "../storage/database.ts";
import {
  atRest,
  findThread,
  getThread,
  insertThread,
  setThreadSnapshot,
  type NewThread,
} from "../storage/threads.ts";
import type { ServiceDeps } from "./deps.ts";
import { stateTarget } from "./state-target.ts";

/**
 * With supersteps, a worker works out first what they would write; thread and
 * checkpoints then appear together or not at all.
 */
export async function createThread(
  deps: Pick<ServiceDeps, "database" | "workers" | "defaultTtl">,
  caller: Caller,
  input: ThreadCreate,
): Promise<Thread> {
  const { database } = deps;
  const thread: NewThread = {
    thread_id: input.thread_id ?? uuid7(),
    metadata: input.metadata,
    ttl: input.ttl ?? deps.defaultTtl,
  };
  const hasSupersteps = input.supersteps.length > 0;
  // Asked before user code runs for nothing, and again by the insert.
  if (hasSupersteps && (await isTaken(database, thread.thread_id)))
    return requireExisting(database, caller, thread.thread_id, input.if_exists);
  const staged = hasSupersteps
    ? await stageSupersteps(deps, thread, input.supersteps)
    : null;
  return database.transaction(
    async (tx) =>
      (await storeThread(tx, thread, staged)) ??
      (await requireExisting(tx, caller, thread.thread_id, input.if_exists)),
  );
}

const isTaken = async (db: Queryable, threadId: string): Promise<boolean> =>
  (await findThread(db, threadId, UNRESTRICTED)) !== null;

/** A thread that the caller may not see is a conflict all the same: the id cannot be had. */
async function requireExisting(
  db: Queryable,
  caller: Caller,
  threadId: string,
  ifExists: ThreadCreate["if_exists"],
): Promise<Thread> {
  const thread =
    ifExists === "do_nothing"
      ? await getThread(db, threadId, caller.access)
      : null;
  if (thread === null) throw conflict("Thread already exists");
  return thread;
}

async function stageSupersteps(
  { database, workers }: Pick<ServiceDeps, "database" | "workers">,
  thread: NewThread,
  supersteps: ThreadCreate["supersteps"],
): Promise<StagedUpdate> {
  const target = await stateTarget(database, thread);
  if (target === null)
    throw badRequest(`Thread ${thread.thread_id} has no graph ID`);
  return workers.ask("state.bulkUpdate", {
    target,
    supersteps: supersteps.map(({ updates }) => ({
      updates: updates.map(
        ({ values = null, command = null, as_node }): StateUpdate => ({
          values,
          command,
          as_node,
        }),
      ),
    })),
  });
}

/** Null when the id is taken: nothing was stored. */
async function storeThread(
  tx: Queryable,
  thread: NewThread,
  staged: StagedUpdate | null,
): Promise<Thread | null> {
  const created = await insertThread(tx, thread);
  if (created === null || staged === null) return created;
  for (const write of staged.writes) await writeCheckpoint(tx, write, null);
  await setThreadSnapshot(tx, thread.thread_id, atRest(staged.snapshot));
  return getThread(tx, thread.thread_id, UNRESTRICTED);
}
