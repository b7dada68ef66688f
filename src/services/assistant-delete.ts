import { ANONYMOUS, type Caller } from "../auth/caller.ts";
import { AppError, notFound } from "../model/errors.ts";
import {
  deleteEndedRunsOf,
  listThreadsOf,
  listUnfinishedRunsOf,
} from "../storage/assistant-runs.ts";
import { deleteAssistants, lockAssistant } from "../storage/assistants.ts";
import { readAssistant } from "./assistants.ts";
import { cancelRun } from "./cancel-run.ts";
import type { RunDeps } from "./run-deps.ts";
import { pruneThreads } from "./thread-delete.ts";

type Deps = Pick<RunDeps, "database" | "events">;

/**
 * Deletes an assistant with its versions and its runs; with `delete_threads`
 * its threads too, as far as the caller may see them. Runs in flight are told
 * to stop: those whose graph is running end as `interrupted` in their own time.
 * Returns the id.
 */
export async function deleteAssistant(
  deps: Deps,
  caller: Caller,
  params: { assistant_id: string; delete_threads: boolean },
): Promise<string> {
  const { database } = deps;
  const { assistant_id: id } = await readAssistant(
    deps,
    caller,
    params.assistant_id,
  );
  await database.transaction(async (tx) => {
    if ((await lockAssistant(tx, id, caller.access)) === null)
      throw notFound("Assistant not found");
    await deleteAssistants(tx, [id]);
  });
  // Only now, so that the runs that are found are all there will be, but for requests that have read the assistant already.
  for (const run of await listUnfinishedRunsOf(database, id))
    await stop(deps, run);
  await database.transaction((tx) => deleteEndedRunsOf(tx, id));
  if (params.delete_threads) await deleteThreadsOf(deps, caller, id);
  return id;
}

/** On every thread, also on those that the caller may not see: their assistant is gone. */
async function stop(
  deps: Deps,
  run: { run_id: string; thread_id: string },
): Promise<void> {
  try {
    await cancelRun(deps, ANONYMOUS, {
      ...run,
      action: "interrupt",
      wait: false,
      reason: "the assistant was deleted",
      signal: AbortSignal.abort(), // nobody waits
    });
  } catch (cause) {
    if (!(cause instanceof AppError)) throw cause; // it has ended or is gone meanwhile
  }
}

async function deleteThreadsOf(
  deps: Deps,
  caller: Caller,
  id: string,
): Promise<void> {
  const threads = await listThreadsOf(deps.database, id, caller.access);
  await pruneThreads(deps, caller, {
    thread_ids: threads.map(({ thread_id }) => thread_id),
    strategy: "delete",
  });
}
