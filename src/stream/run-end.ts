import { CHANNELS } from "../storage/channels.ts";
import type { Database } from "../storage/database.ts";
import { getRunEnd } from "../storage/run-queue.ts";
import type { EventLog } from "./event-log.ts";
import type { RunEnding } from "./run-results.ts";

interface Deps {
  database: Database;
  events: EventLog;
}

/**
 * How late whoever has just accepted a run looks at the table for the first
 * time: nothing can be there yet, but for what another instance has done and
 * said before anybody listened.
 */
export const FIRST_LOOK_MS = 500;

/**
 * Resolves with how the run has ended, or with null when `signal` fires.
 * Subscribe, then look, then wait. `isNew`: it was accepted here just now.
 */
export async function untilEnded(
  deps: Deps,
  { run_id, isNew = false }: { run_id: string; isNew?: boolean },
  signal: AbortSignal,
): Promise<RunEnding | null> {
  const { database, events } = deps;
  let wake = () => {};
  // Where nobody else executes runs, a look costs nothing.
  let isFirst = isNew && !database.isExclusive;
  const unlisten = database.listen(CHANNELS.finished, (ended) => {
    if (ended === run_id) wake();
  });
  try {
    while (!signal.aborted) {
      const told = new Promise<void>((resolve) => {
        wake = resolve;
      });
      const ending = isFirst
        ? events.results.endingOf(run_id)
        : await endingOf(deps, run_id);
      if (ending !== null) return ending;
      const { pollMs } = database;
      const ms = isFirst ? Math.min(FIRST_LOOK_MS, pollMs) : pollMs;
      isFirst = false;
      await soonest(told, ms, signal);
    }
    return null;
  } finally {
    unlisten();
  }
}

/** Null while the run goes on. */
export const endingOf = async (
  { database, events }: Deps,
  runId: string,
): Promise<RunEnding | null> =>
  events.results.endingOf(runId) ?? getRunEnd(database, runId);

async function soonest(
  told: Promise<void>,
  ms: number,
  signal: AbortSignal,
): Promise<void> {
  let end = () => {};
  const other = new Promise<void>((resolve) => {
    end = resolve;
    signal.addEventListener("abort", end);
  });
  const timer = setTimeout(end, ms);
  await Promise.race([told, other]);
  clearTimeout(timer);
  signal.removeEventListener("abort", end);
}
