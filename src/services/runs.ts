import type { Caller } from "../auth/caller.ts";
import { conflict, notFound } from "../model/errors.ts";
import { pageOf, type Page } from "../model/page.ts";
import { isTerminal, type Run } from "../model/run.ts";
import { deleteRunCheckpoints } from "../storage/checkpoints.ts";
import { deleteRun, getRun, listRuns, type RunPage } from "../storage/runs.ts";
import { findThread, lockThread } from "../storage/threads.ts";
import { untilEnded } from "../stream/run-end.ts";
import { resultOf } from "./run-result.ts";
import type { RunDeps } from "./run-deps.ts";

/** Without `thread_id`: whichever thread the run has. Throws 404 `Run not found`. */
export async function requireRun(
  deps: Pick<RunDeps, "database">,
  caller: Caller,
  params: { thread_id?: string; run_id: string },
): Promise<Run> {
  const run = await getRun(deps.database, params, caller.access);
  if (run === null) throw notFound("Run not found");
  return run;
}

/** Newest first. Throws 404 when the thread is missing or hidden. */
export async function listThreadRuns(
  deps: Pick<RunDeps, "database">,
  caller: Caller,
  params: RunPage,
): Promise<Page<Run>> {
  const { database } = deps;
  if ((await findThread(database, params.thread_id, caller.access)) === null)
    throw notFound(`Thread with ID ${params.thread_id} not found`);
  const { runs, total } = await listRuns(database, params);
  return pageOf(runs, { offset: params.offset, total });
}

/** Deletes a run that has ended, and the checkpoints that nothing else needs. Throws 409 while it has not. */
export async function removeRun(
  deps: Pick<RunDeps, "database">,
  caller: Caller,
  params: { thread_id: string; run_id: string },
): Promise<void> {
  const { thread_id, run_id } = params;
  await deps.database.transaction(async (tx) => {
    const thread = await lockThread(tx, thread_id, caller.access);
    const run = thread && (await getRun(tx, params, caller.access));
    if (run === null) throw notFound("Run not found");
    if (!isTerminal(run.status))
      throw conflict(`Run ${run_id} is ${run.status}; cancel it first`);
    await deleteRunCheckpoints(tx, thread_id, run_id);
    await deleteRun(tx, run_id);
  });
}

/** The run's result as JSON text (see `resultOf`), once it has ended. */
export async function waitForRun(
  deps: Pick<RunDeps, "database" | "events">,
  run: Run,
  signal: AbortSignal,
): Promise<string> {
  const ending = await untilEnded(deps.database, run.run_id, signal);
  await deps.database.durable();
  return resultOf(deps, run, ending);
}
