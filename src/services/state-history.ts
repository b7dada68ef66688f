import type { Caller } from "../auth/caller.ts";
import type { JsonObject } from "../lib/json.ts";
import { notFound } from "../model/errors.ts";
import type { CheckpointConfig } from "../model/thread-state-requests.ts";
import type { ThreadState } from "../model/thread-state.ts";
import type { Database } from "../storage/database.ts";
import { findThread } from "../storage/threads.ts";
import type { Workers } from "../workers/port.ts";
import { checkpointRef, stateTarget } from "./state-target.ts";

export interface HistoryQuestion {
  thread_id: string;
  limit: number;
  /** States strictly older than this checkpoint. */
  before?: string | undefined;
  /** What the metadata of a checkpoint must contain. */
  metadata?: JsonObject | undefined;
  /** Its namespace selects a subgraph; its id, that one state. */
  checkpoint?: CheckpointConfig | undefined;
}

/** Newest first; empty for a thread that has no state yet. */
export async function getHistory(
  { database, workers }: { database: Database; workers: Workers },
  caller: Caller,
  question: HistoryQuestion,
): Promise<ThreadState[]> {
  const { thread_id, limit, before, metadata, checkpoint } = question;
  const thread = await findThread(database, thread_id, caller.access);
  if (thread === null) throw notFound(`Thread with ID ${thread_id} not found`);
  const target = await stateTarget(database, thread);
  if (target === null) return [];
  return workers.ask("state.history", {
    target,
    limit,
    ...(checkpoint === undefined
      ? {}
      : { checkpoint: checkpointRef(checkpoint) }),
    ...(before === undefined ? {} : { before }),
    ...(metadata === undefined ? {} : { metadata }),
  });
}
