import type { AccessFilter } from "../model/access.ts";
import type { ThreadState } from "../model/thread-state.ts";
import { getLastCheckpointId } from "../storage/runs.ts";
import { findThread } from "../storage/threads.ts";
import type { ServiceDeps } from "./deps.ts";
import { stateTarget } from "./state-target.ts";

/**
 * The thread's state as the run has left it, or as far as the run has come;
 * the newest one when that checkpoint is gone. Null when there is none at all.
 */
export async function stateOfRun(
  { database, workers }: Pick<ServiceDeps, "database" | "workers">,
  access: AccessFilter,
  { thread_id, run_id }: { thread_id: string; run_id: string },
): Promise<ThreadState | null> {
  const thread = await findThread(database, thread_id, access);
  const target = thread && (await stateTarget(database, thread));
  if (target === null) return null;
  const question = { target, subgraphs: false };
  const checkpoint_id = await getLastCheckpointId(database, run_id);
  const state =
    checkpoint_id === null
      ? null
      : await workers.ask("state.get", {
          ...question,
          checkpoint: { checkpoint_id },
        });
  return state ?? workers.ask("state.get", question);
}
