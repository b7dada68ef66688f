import type { Caller } from "../auth/caller.ts";
import type { RunEvent } from "../model/run-event.ts";
import { lastEventSeq } from "../storage/event-segments.ts";
import { listRuns } from "../storage/runs.ts";
import { followInBatches, type FollowParams } from "../stream/follow.ts";
import type { RunDeps } from "./run-deps.ts";
import { isAfterGap, isState, valuesSoFar } from "./run-stream.ts";

type Deps = Pick<RunDeps, "database" | "events" | "workers" | "log">;

/**
 * The events of a thread. In the place of those that are not kept any more
 * stand that their run goes on, where there is a number for it, and its state.
 */
export async function* eventsOrState(
  deps: Deps,
  caller: Caller,
  params: Omit<FollowParams, "run_id">,
): AsyncGenerator<RunEvent[]> {
  const { thread_id } = params;
  let cursor = params.after;
  const owed = await stateOwed(deps, caller, { thread_id, after: cursor });
  if (owed !== null) {
    yield [owed];
    cursor = owed.seq;
  }
  const batches = followInBatches(deps, {
    ...params,
    run_id: null,
    after: cursor,
  });
  for await (const batch of batches) {
    const whole: RunEvent[] = [];
    for (const event of batch) {
      if (isAfterGap(event, cursor))
        whole.push(
          ...(await instead(deps, caller, { thread_id, cursor, next: event })),
        );
      cursor = event.seq;
      whole.push(event);
    }
    yield whole;
  }
}

async function instead(
  deps: Deps,
  caller: Caller,
  params: { thread_id: string; cursor: number; next: RunEvent },
): Promise<RunEvent[]> {
  const { thread_id, cursor, next } = params;
  const { run_id, attempt, at } = next;
  const isStateOwed = !isState(next);
  const room = next.seq - cursor - 1;
  const told: RunEvent[] = [];
  if (room > 1 || !isStateOwed) {
    const data = JSON.stringify({ run_id, attempt });
    told.push({ ...next, seq: cursor + 1, event: "metadata", data });
  }
  if (!isStateOwed) return told;
  const values = await valuesSoFar(deps, caller, { run_id, thread_id });
  const data = JSON.stringify(values);
  const seq = next.seq - 1;
  return [...told, { seq, run_id, attempt, event: "values", data, at }];
}

/** When nothing is kept of what came after the cursor, and nothing goes on. */
async function stateOwed(
  deps: Deps,
  caller: Caller,
  { thread_id, after }: { thread_id: string; after: number },
): Promise<RunEvent | null> {
  const { database, events } = deps;
  const seq = await lastEventSeq(database, thread_id);
  if (after >= seq || events.lastSeq(thread_id) > after) return null;
  const kept = await events.list({
    ...{ thread_id, run_id: null, after, segments: 1 },
  });
  if (kept.length > 0) return null;
  const { runs } = await listRuns(database, { thread_id, limit: 1, offset: 0 });
  const [run] = runs;
  if (run === undefined) return null;
  const { run_id } = run;
  const values = await valuesSoFar(deps, caller, { run_id, thread_id });
  const data = JSON.stringify(values);
  return { seq, run_id, attempt: 0, event: "values", data, at: Date.now() };
}
