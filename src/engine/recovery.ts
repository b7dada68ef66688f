import type { Logger } from "../lib/logger.ts";
import { UNRESTRICTED } from "../model/access.ts";
import { CHANNELS } from "../storage/channels.ts";
import type { Database } from "../storage/database.ts";
import { deleteInstance, listExpiredInstances } from "../storage/instances.ts";
import {
  handBackRunsOf,
  lineUpDueRuns,
  listThreadsToPromote,
} from "../storage/run-queue.ts";
import { passTurn } from "../storage/thread-turn.ts";
import { lockThread } from "../storage/threads.ts";

/**
 * Gives the runs of dead instances back to the queue. A run keeps its turn, so
 * this touches no thread. One that was cancelled, or is out of attempts, goes
 * back too: whoever claims it ends it instead of executing it.
 */
export async function reapExpired(deps: {
  database: Database;
  log: Logger;
}): Promise<void> {
  const { database, log } = deps;
  const threads = await database.transaction(async (tx) => {
    const handedBack: string[] = [];
    for (const instance of await listExpiredInstances(tx)) {
      handedBack.push(...(await handBackRunsOf(tx, instance)));
      await deleteInstance(tx, instance);
    }
    return handedBack;
  });
  if (threads.length === 0) return;
  log.info(
    { runs: threads.length },
    "runs of a stopped server resume from their last checkpoints",
  );
  for (const thread of threads) database.notify(CHANNELS.runs, thread);
}

const PROMOTED_AT_ONCE = 100;

/** Delayed runs that are due line up; a thread whose runs all wait gets its turn back. */
export async function promoteDueRuns(database: Database): Promise<void> {
  for (const thread of await listThreadsToPromote(database, PROMOTED_AT_ONCE)) {
    const isPromoted = await database.transaction(async (tx) => {
      await lockThread(tx, thread, UNRESTRICTED);
      await lineUpDueRuns(tx, thread);
      return passTurn(tx, thread);
    });
    if (isPromoted) database.notify(CHANNELS.runs, thread);
  }
}
