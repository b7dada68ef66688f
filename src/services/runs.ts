import type { Caller } from "../auth/caller.ts";
import { notFound } from "../model/errors.ts";
import { pageOf, type Page } from "../model/page.ts";
import type { Run } from "../model/run.ts";
import { getRun, listRuns, type RunPage } from "../storage/runs.ts";
import { findThread } from "../storage/threads.ts";
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

/** The run's result as JSON text (see `resultOf`), once it has ended. */
export async function waitForRun(
  deps: Pick<RunDeps, "database" | "events">,
  run: Run & { isNew?: boolean },
  signal: AbortSignal,
): Promise<string> {
  const ending = await untilEnded(deps, run, signal);
  await deps.database.durable();
  return resultOf(deps, run, ending);
}
