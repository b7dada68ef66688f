import { CHANNELS } from "../storage/channels.ts";
import type { Database } from "../storage/database.ts";
import { getRunEnd } from "../storage/run-queue.ts";

/** The floor under the notifications: an end that was not told is seen this much later. */
const POLL_MS = 1000;

/** Resolves when the run has ended, or when `signal` fires. Subscribe, then look, then wait. */
export async function untilEnded(
  database: Database,
  runId: string,
  signal: AbortSignal,
): Promise<void> {
  let wake = () => {};
  const unlisten = database.listen(CHANNELS.finished, (ended) => {
    if (ended === runId) wake();
  });
  try {
    while (!signal.aborted) {
      const told = new Promise<void>((resolve) => {
        wake = resolve;
      });
      if ((await getRunEnd(database, runId)) !== null) return;
      await soonest(told, signal);
    }
  } finally {
    unlisten();
  }
}

async function soonest(
  told: Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  let end = () => {};
  const other = new Promise<void>((resolve) => {
    end = resolve;
    signal.addEventListener("abort", end);
  });
  const timer = setTimeout(end, POLL_MS);
  await Promise.race([told, other]);
  clearTimeout(timer);
  signal.removeEventListener("abort", end);
}
