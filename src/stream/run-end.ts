import { CHANNELS } from "../storage/channels.ts";
import type { Database } from "../storage/database.ts";
import { getRunEnd } from "../storage/run-queue.ts";

export type RunEnding = NonNullable<Awaited<ReturnType<typeof getRunEnd>>>;

/** Resolves with how the run has ended, or with null when `signal` fires. Subscribe, then look, then wait. */
export async function untilEnded(
  database: Database,
  runId: string,
  signal: AbortSignal,
): Promise<RunEnding | null> {
  let wake = () => {};
  const unlisten = database.listen(CHANNELS.finished, (ended) => {
    if (ended === runId) wake();
  });
  try {
    while (!signal.aborted) {
      const told = new Promise<void>((resolve) => {
        wake = resolve;
      });
      const ending = await getRunEnd(database, runId);
      if (ending !== null) return ending;
      await soonest(told, database.pollMs, signal);
    }
    return null;
  } finally {
    unlisten();
  }
}

async function soonest(
  told: Promise<void>,
  pollMs: number,
  signal: AbortSignal,
): Promise<void> {
  let end = () => {};
  const other = new Promise<void>((resolve) => {
    end = resolve;
    signal.addEventListener("abort", end);
  });
  const timer = setTimeout(end, pollMs);
  await Promise.race([told, other]);
  clearTimeout(timer);
  signal.removeEventListener("abort", end);
}
