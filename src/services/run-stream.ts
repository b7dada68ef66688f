import type { Caller } from "../auth/caller.ts";
import { isObject, type Json } from "../lib/json.ts";
import type { Run } from "../model/run.ts";
import type { RunEvent } from "../model/run-event.ts";
import { hasSegments, lastEventSeq } from "../storage/event-segments.ts";
import { getRunEnd } from "../storage/run-queue.ts";
import { getAttempt } from "../storage/runs.ts";
import { getLastState } from "../storage/threads.ts";
import { follow } from "../stream/follow.ts";
import { endingOf } from "../stream/run-end.ts";
import { INTERRUPT_ONLY } from "../stream/run-results.ts";
import type { RunDeps } from "./run-deps.ts";
import { stateOfRun } from "./run-state.ts";

/*
 * The stream of one run, as a reader gets it. What is not kept any more (past
 * the retention, past the cap, never kept because nobody had asked for the
 * stream) is made good from the checkpoint: a reader that comes for it is told
 * the run and its state, and then what there still is. It never waits for what
 * cannot come.
 */

type Deps = Pick<RunDeps, "database" | "events" | "workers" | "log">;

/** The frames of a run. `after` null: only what happens from now on. */
export async function* streamRun(
  deps: Deps,
  caller: Caller,
  run: Run,
  params: { after: number | null; isNew?: boolean; signal: AbortSignal },
): AsyncGenerator<RunEvent> {
  const { database } = deps;
  const { thread_id, run_id } = run;
  const wantsPast = params.after !== null;
  let cursor = params.after ?? (await newestSeq(deps, thread_id));
  let hasEnd = false;
  const hasEnded = async () => (await endingOf(deps, run_id)) !== null;
  for await (const event of follow(deps, {
    thread_id,
    run_id,
    after: cursor,
    isNew: params.isNew ?? false,
    signal: params.signal,
    hasEnded,
  })) {
    if (wantsPast && isAfterGap(event, cursor))
      yield* instead(deps, caller, run, event);
    cursor = event.seq;
    hasEnd ||= event.event === "end";
    // The end tells the client that nothing of the run can be lost any more.
    if (hasEnd) await database.durable();
    yield event;
  }
  if (hasEnd || params.signal.aborted) return;
  if (wantsPast && !(await hasSegments(database, run_id)))
    yield* instead(deps, caller, run, null);
  yield* syntheticEnd(deps, run);
}

/** Of what is stored, and of what is still in memory. */
export const newestSeq = async (
  { database, events }: Pick<RunDeps, "database" | "events">,
  threadId: string,
): Promise<number> =>
  Math.max(await lastEventSeq(database, threadId), events.lastSeq(threadId));

/** Numbers may be left out before an attempt, which begins with `metadata`, and nowhere else. */
export const isAfterGap = ({ seq, event }: RunEvent, cursor: number): boolean =>
  seq > cursor + 1 && event !== "metadata";

/** Comes before `next` in place of what is missing there; null: all is missing. */
async function* instead(
  deps: Deps,
  caller: Caller,
  run: Run,
  next: RunEvent | null,
): AsyncGenerator<RunEvent> {
  const { run_id, thread_id } = run;
  const attempt = next?.attempt ?? (await getAttempt(deps.database, run_id));
  if (attempt === 0) return; // it has never started
  const seq =
    next === null ? await lastEventSeq(deps.database, thread_id) : next.seq - 1;
  const frame = { seq, run_id, attempt, at: Date.now() };
  const data = JSON.stringify({ run_id, attempt });
  yield { ...frame, event: "metadata", data };
  if (next !== null && isState(next)) return;
  const values = await valuesSoFar(deps, caller, run);
  yield { ...frame, event: "values", data: JSON.stringify(values) };
}

export const isState = ({ event, data }: RunEvent): boolean =>
  event === "values" && !data.startsWith(INTERRUPT_ONLY);

/** As far as the run has come, with the questions that it stopped at. */
export async function valuesSoFar(
  { database, workers, log }: Deps,
  { access }: Caller,
  run: Pick<Run, "run_id" | "thread_id">,
): Promise<Json> {
  const { run_id, thread_id } = run;
  const state =
    (await stateOfRun({ database, workers }, access, run).catch(
      (cause: unknown) => {
        log.warn(
          { err: cause, run_id },
          "the state of a run could not be read",
        );
        return null;
      },
    )) ?? (await getLastState(database, thread_id));
  const values = state?.values ?? {};
  const interrupts = Object.values(state?.interrupts ?? {}).flat();
  return interrupts.length > 0 && isObject(values)
    ? { ...values, __interrupt__: interrupts as unknown as Json }
    : values;
}

/** A run that was cancelled before it started, or whose stream is not kept any more, ends all the same. */
async function* syntheticEnd(
  deps: Pick<RunDeps, "database">,
  { run_id, thread_id }: Run,
): AsyncGenerator<RunEvent> {
  const end = await getRunEnd(deps.database, run_id);
  const seq = await lastEventSeq(deps.database, thread_id);
  const frame = { seq, run_id, attempt: 0, at: Date.now() };
  if (end?.error != null)
    yield { ...frame, event: "error", data: JSON.stringify(end.error) };
  const data = JSON.stringify({ run_id, status: end?.status ?? "interrupted" });
  yield { ...frame, event: "end", data };
}
