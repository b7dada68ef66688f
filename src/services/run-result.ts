import { isObject, type Json } from "../lib/json.ts";
import type { RunError } from "../model/run.ts";
import type { Queryable } from "../storage/database.ts";
import { listEventsBackwards } from "../storage/event-segments.ts";
import type { ProducedEvent } from "../model/run-event.ts";
import type { EventLog } from "../stream/event-log.ts";
import { INTERRUPT_ONLY, type RunEnding } from "../stream/run-results.ts";
import { getLastState } from "../storage/threads.ts";

/**
 * What waiting for a run gives, as JSON text: its last `values`, with
 * `__interrupt__` when it stopped at one, or `{"__error__": …}`: it has failed, or is gone. Never null.
 */
export async function resultOf(
  { database: db, events }: { database: Queryable; events: EventLog },
  run: { run_id: string; thread_id: string },
  ending: RunEnding | null,
): Promise<string> {
  if (ending?.error != null) return JSON.stringify({ __error__: ending.error });
  if (ending?.status === null)
    return JSON.stringify({ __error__: goneError(run) });
  const frames = events.results.framesOf(run.run_id);
  const { values, interrupts, feedback } = await lastValues(
    frames?.toReversed() ?? storedFrames(db, run.run_id),
  );
  const state = values ?? events.results.stateOf(run.run_id);
  if (state === null) return threadResult(db, run.thread_id);
  // A static breakpoint interrupts without a question: then the state is the answer.
  if (interrupts.length === 0 && feedback === null) return state;
  return JSON.stringify({
    ...(JSON.parse(state) as object),
    ...(interrupts.length === 0 ? {} : { __interrupt__: interrupts }),
    ...(feedback === null ? {} : { __feedback__: feedback }),
  });
}

/** The events of a run as they are stored, newest first. */
async function* storedFrames(
  db: Queryable,
  run_id: string,
): AsyncGenerator<ProducedEvent> {
  let before = Number.MAX_SAFE_INTEGER;
  for (;;) {
    const events = await listEventsBackwards(db, { run_id, before });
    for (const { event, data } of events) yield [event, data];
    const oldest = events.at(-1);
    if (oldest === undefined) return;
    before = oldest.seq;
  }
}

/** What the thread shows is not of this run, so nobody should take it for its result. */
const goneError = ({ run_id }: { run_id: string }): RunError => ({
  error: "RunDeletedError",
  message: `run ${run_id} has no result: it was rolled back, or deleted with its thread`,
});

/**
 * The last state, and the questions around it. Read from the end, as far as
 * the state before: tasks that run side by side ask in a frame each, after the
 * state that they were asked in or, when some of them were answered, before it.
 */
async function lastValues(
  newestFirst: AsyncIterable<ProducedEvent> | Iterable<ProducedEvent>,
): Promise<{
  values: string | null;
  interrupts: Json[];
  feedback: Json | null;
}> {
  const interrupts = new Map<unknown, Json>();
  let feedback: Json | null = null;
  let values: string | null = null;
  for await (const [event, data] of newestFirst) {
    if (event === "feedback") feedback = JSON.parse(data) as Json;
    if (event !== "values") continue;
    if (data.startsWith(INTERRUPT_ONLY)) collect(interrupts, data);
    else if (values === null) values = data;
    else break;
  }
  return { values, interrupts: inOrder(interrupts), feedback };
}

/** By id: an attempt that died may have asked the same before. */
function collect(interrupts: Map<unknown, Json>, data: string): void {
  const told = (JSON.parse(data) as { __interrupt__: { id?: string }[] })
    .__interrupt__;
  for (const interrupt of told.toReversed())
    interrupts.set(interrupt.id ?? interrupt, interrupt);
}

/** They were collected from the last to the first. */
const inOrder = (interrupts: Map<unknown, Json>): Json[] =>
  [...interrupts.values()].toReversed();

/** A run that streamed no values, or whose stream is past its retention. */
async function threadResult(db: Queryable, threadId: string): Promise<string> {
  const thread = await getLastState(db, threadId);
  if (thread === null) return "{}";
  const values = thread.values ?? {};
  const waiting = Object.values(thread.interrupts).flat();
  const isTold = waiting.length > 0 && isObject(values);
  return JSON.stringify(
    isTold ? { ...values, __interrupt__: waiting } : values,
  );
}
