import type { Run } from "../model/run.ts";
import type { RunEvent } from "../model/run-event.ts";
import { lastEventSeq } from "../storage/event-segments.ts";
import { getRunEnd } from "../storage/run-queue.ts";
import { follow } from "../stream/follow.ts";
import type { RunDeps } from "./run-deps.ts";

/** The frames of a run. `after` null: only what happens from now on. */
export async function* streamRun(
  deps: Pick<RunDeps, "database" | "events">,
  run: Run,
  params: { after: number | null; signal: AbortSignal },
): AsyncGenerator<RunEvent> {
  const { database } = deps;
  const { thread_id, run_id } = run;
  const after = params.after ?? (await newestSeq(deps, thread_id));
  let hasEnd = false;
  const hasEnded = async () => (await getRunEnd(database, run_id)) !== null;
  for await (const event of follow(deps, {
    thread_id,
    run_id,
    after,
    signal: params.signal,
    hasEnded,
  })) {
    hasEnd ||= event.event === "end";
    // The end tells the client that nothing of the run can be lost any more.
    if (hasEnd) await database.durable();
    yield event;
  }
  if (!hasEnd && !params.signal.aborted) yield* syntheticEnd(deps, run);
}

/** Of what is stored, and of what is still in memory. */
export const newestSeq = async (
  { database, events }: Pick<RunDeps, "database" | "events">,
  threadId: string,
): Promise<number> =>
  Math.max(await lastEventSeq(database, threadId), events.lastSeq(threadId));

/** A run that was cancelled before it started, or whose stream is past its retention, ends all the same. */
async function* syntheticEnd(
  deps: Pick<RunDeps, "database">,
  { run_id, thread_id }: Run,
): AsyncGenerator<RunEvent> {
  const end = await getRunEnd(deps.database, run_id);
  const data = JSON.stringify({ run_id, status: end?.status ?? "interrupted" });
  const seq = await lastEventSeq(deps.database, thread_id);
  yield { seq, run_id, attempt: 0, event: "end", data };
}
