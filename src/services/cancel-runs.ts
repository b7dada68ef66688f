import type { Caller } from "../auth/caller.ts";
import { notFound } from "../model/errors.ts";
import type { CancelAction } from "../model/run.ts";
import type { CancelledStatus, RunsCancel } from "../model/runs-cancel.ts";
import type { Database, Queryable } from "../storage/database.ts";
import {
  listExistingRuns,
  listThreadsWithUnfinished,
  listUnfinishedRuns,
} from "../storage/runs.ts";
import { lockThread } from "../storage/threads.ts";
import type { ServiceDeps } from "./deps.ts";
import { announceStopped, stopRuns } from "./stop-run.ts";

interface Cancelling {
  action: CancelAction;
  request: RunsCancel;
}

/**
 * Stops many runs: those listed of one thread, or all of a status that the
 * caller may see. Runs that have ended are passed over. Throws 404 when some
 * that are listed are missing; the others are stopped all the same.
 */
export async function cancelRuns(
  { database }: Pick<ServiceDeps, "database">,
  caller: Caller,
  { action, request }: Cancelling,
): Promise<void> {
  if ("status" in request)
    return cancelByStatus(database, caller, { ...request, action });
  const { thread_id, run_ids } = request;
  const found = await cancelIn(database, caller, {
    thread_id,
    action,
    listRuns: (tx) => listExistingRuns(tx, thread_id, run_ids),
  });
  const missing = run_ids.filter((id) => !found.includes(id));
  if (missing.length > 0)
    throw notFound(`Run not found: ${missing.slice(0, SHOWN_IDS).join(", ")}`);
}

/** Of the missing runs, in the message. */
const SHOWN_IDS = 10;

/** Threads at once; their commits share one fsync. */
const BATCH = 50;

/** Each thread in a transaction of its own, so that many of them hold up nobody for long. */
async function cancelByStatus(
  database: Database,
  caller: Caller,
  { status, action }: { status: CancelledStatus; action: CancelAction },
): Promise<void> {
  const threads = await listThreadsWithUnfinished(database, caller.access);
  for (let start = 0; start < threads.length; start += BATCH)
    await Promise.all(
      threads.slice(start, start + BATCH).map((thread_id) =>
        cancelIn(database, caller, {
          thread_id,
          action,
          listRuns: async (tx) =>
            (await listUnfinishedRuns(tx, thread_id))
              .filter(({ q }) => isMeant(q, status))
              .map(({ run_id }) => run_id),
        }),
      ),
    );
}

const isMeant = (q: string, status: CancelledStatus): boolean =>
  status === "all" || (q === "running") === (status === "running");

/** Returns the runs that there were. */
async function cancelIn(
  database: Database,
  caller: Caller,
  params: {
    thread_id: string;
    action: CancelAction;
    listRuns: (tx: Queryable) => Promise<string[]>;
  },
): Promise<string[]> {
  const { thread_id, action, listRuns } = params;
  const { run_ids, stopped } = await database.transaction(async (tx) => {
    const isThere = (await lockThread(tx, thread_id, caller.access)) !== null;
    const run_ids = isThere ? await listRuns(tx) : [];
    const stop = { thread_id, run_ids, action, reason: null };
    return { run_ids, stopped: await stopRuns(tx, stop) };
  });
  announceStopped(database, thread_id, stopped);
  return run_ids;
}
