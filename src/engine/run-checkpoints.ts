import { isObject } from "../lib/json.ts";
import type { Logger } from "../lib/logger.ts";
import type { ThreadSnapshot } from "../model/thread.ts";
import {
  readCheckpoints,
  type CheckpointPage,
} from "../storage/checkpoint-reads.ts";
import type { Database } from "../storage/database.ts";
import type { ClaimedRun } from "../storage/run-queue.ts";
import type { WorkerPool } from "../workers/pool.ts";

/** A checkpoint with more values than this is read when the graph asks for it. */
const MAX_SENT_BYTES = 8 * 1024 * 1024;

/** Where the run starts; null when that is elsewhere, or when it is too much to send before it is asked for. */
export async function newestCheckpoint(
  database: Database,
  { thread_id, kwargs, has_checkpoints }: ClaimedRun,
): Promise<CheckpointPage | null> {
  const { configurable } = kwargs.config;
  if (isObject(configurable) && configurable["checkpoint_id"] !== undefined)
    return null;
  if (!has_checkpoints) return { checkpoints: [], values: [] };
  const query = { thread_id, checkpoint_ns: "", limit: 1 };
  const page = await readCheckpoints(database, query).catch(
    () => null, // the graph will ask, and be told why not
  );
  if (page === null) return null;
  const bytes = page.values.reduce((sum, { data }) => sum + data.length, 0);
  return bytes > MAX_SENT_BYTES ? null : page;
}

/** How the checkpoints say the thread stands; null when no worker can tell. */
export async function snapshotOf(
  { workers, log }: { workers: WorkerPool; log: Logger },
  { graph_id, thread_id, kwargs }: ClaimedRun,
): Promise<ThreadSnapshot | null> {
  const { configurable } = kwargs.config;
  try {
    return await workers.ask("state.snapshot", {
      target: {
        graph_id,
        thread_id,
        configurable: { ...(configurable as object) },
        context: kwargs.context,
      },
    });
  } catch (cause) {
    log.warn(
      { err: cause, thread_id },
      "the state of a thread could not be read",
    );
    return null;
  }
}
