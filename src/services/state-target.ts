import { isObject, type Json, type JsonObject } from "../lib/json.ts";
import { isUuid } from "../lib/uuid.ts";
import { UNRESTRICTED } from "../model/access.ts";
import { notFound } from "../model/errors.ts";
import type { CheckpointConfig } from "../model/thread-state-requests.ts";
import type { CheckpointRef } from "../model/thread-state.ts";
import type { StateTarget } from "../protocol/state-frames.ts";
import { getAssistant } from "../storage/assistants.ts";
import type { Queryable } from "../storage/database.ts";
import type { ThreadHandle } from "../storage/threads.ts";

/**
 * The graph that reads the thread's checkpoints; null before the first run.
 * Its assistant's config builds it as it was built for the runs.
 */
export async function stateTarget(
  db: Queryable,
  thread: Pick<ThreadHandle, "thread_id" | "metadata">,
): Promise<StateTarget | null> {
  const { graph_id, assistant_id } = thread.metadata;
  if (typeof graph_id !== "string") return null;
  // Whoever may see the thread may see its state, if its assistant is hidden or not.
  const assistant =
    typeof assistant_id === "string" && isUuid(assistant_id)
      ? await getAssistant(db, assistant_id, UNRESTRICTED)
      : null;
  const configurable = assistant?.config["configurable"];
  return {
    graph_id,
    thread_id: thread.thread_id,
    configurable: {
      ...(isObject(configurable) ? (configurable as JsonObject) : {}),
      ...(assistant === null
        ? {}
        : { assistant_id: assistant.assistant_id as Json }),
    },
    context: assistant?.context ?? {},
  };
}

export const checkpointNotFound = (threadId: string, checkpointId: string) =>
  notFound(`Checkpoint ${checkpointId} of thread ${threadId} not found`);

/** As it crosses the pipe: without members that say nothing. */
export function checkpointRef(config: CheckpointConfig): CheckpointRef {
  const { checkpoint_id, checkpoint_ns, checkpoint_map } = config;
  return {
    ...(checkpoint_id === undefined ? {} : { checkpoint_id }),
    ...(checkpoint_ns === undefined ? {} : { checkpoint_ns }),
    ...(checkpoint_map === undefined
      ? {}
      : { checkpoint_map: checkpoint_map as Record<string, string> }),
  };
}
