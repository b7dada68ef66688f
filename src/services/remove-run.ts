import type { Caller } from "../auth/caller.ts";
import { conflict, notFound } from "../model/errors.ts";
import { isTerminal } from "../model/run.ts";
import type { ThreadSnapshot } from "../model/thread.ts";
import type { Queryable } from "../storage/database.ts";
import { undoRun } from "../storage/run-undo.ts";
import { deleteRun, getRun } from "../storage/runs.ts";
import { hasActiveRun, readHead } from "../storage/thread-head.ts";
import {
  atRest,
  findThread,
  lockThread,
  setThreadSnapshot,
} from "../storage/threads.ts";
import type { ServiceDeps } from "./deps.ts";
import { stateTarget } from "./state-target.ts";

type Deps = Pick<ServiceDeps, "database" | "workers" | "log">;

interface RunAddress {
  thread_id: string;
  run_id: string;
}

/**
 * Deletes a run that has ended, and what it has left that nothing else needs.
 * If that was the thread's newest state, the thread shows the one before.
 * Throws 409 while the run has not ended.
 */
export async function removeRun(
  deps: Deps,
  caller: Caller,
  params: RunAddress,
): Promise<void> {
  const { thread_id, run_id } = params;
  const hasMoved = await deps.database.transaction(async (tx) => {
    const thread = await lockThread(tx, thread_id, caller.access);
    const run = thread && (await getRun(tx, params, caller.access));
    if (run === null) throw notFound("Run not found");
    if (!isTerminal(run.status))
      throw conflict(`Run ${run_id} is ${run.status}; cancel it first`);
    const before = await headOf(tx, thread_id);
    await deleteRun(tx, run_id);
    await undoRun(tx, thread_id, run_id);
    return (await headOf(tx, thread_id)) !== before;
  });
  if (!hasMoved) return;
  await showNewestState(deps, caller, thread_id).catch((cause: unknown) =>
    deps.log.warn(
      { err: cause, thread_id },
      "the state of a thread could not be read after a run was deleted",
    ),
  );
}

const headOf = async (db: Queryable, thread_id: string): Promise<string> =>
  JSON.stringify(await readHead(db, { thread_id, checkpoint_ns: "" }));

/** Whoever moves the thread meanwhile says how it stands, and knows better. */
async function showNewestState(
  deps: Deps,
  caller: Caller,
  thread_id: string,
): Promise<void> {
  const { database } = deps;
  const head = await headOf(database, thread_id);
  const snapshot = await newestState(deps, caller, thread_id);
  await database.transaction(async (tx) => {
    if ((await lockThread(tx, thread_id, caller.access)) === null) return;
    if (await hasActiveRun(tx, thread_id)) return;
    if ((await headOf(tx, thread_id)) !== head) return;
    await setThreadSnapshot(tx, thread_id, atRest(snapshot));
  });
}

const NO_STATE: ThreadSnapshot = { values: null, next: [], interrupts: {} };

async function newestState(
  { database, workers }: Deps,
  { access }: Caller,
  thread_id: string,
): Promise<ThreadSnapshot> {
  const thread = await findThread(database, thread_id, access);
  const target = thread && (await stateTarget(database, thread));
  if (target === null) return NO_STATE;
  return workers.ask("state.snapshot", { target });
}
