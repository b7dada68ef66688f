import { isObject, type Json } from "../lib/json.ts";
import { UNRESTRICTED } from "../model/access.ts";
import type { Queryable } from "../storage/database.ts";
import { listEventsBackwards } from "../storage/event-segments.ts";
import { getRunEnd } from "../storage/run-queue.ts";
import { getThread } from "../storage/threads.ts";

/** A frame of `values` that only tells of interrupts begins like this. */
const INTERRUPT_ONLY = '{"__interrupt__"';

/**
 * What waiting for a run gives, as JSON text: its last `values`, with
 * `__interrupt__` when it stopped at one, or `{"__error__": …}`. Never null.
 */
export async function resultOf(
  db: Queryable,
  run: { run_id: string; thread_id: string },
): Promise<string> {
  const end = await getRunEnd(db, run.run_id);
  if (end?.error != null) return JSON.stringify({ __error__: end.error });
  const { values, interrupts } = await lastValues(db, run.run_id);
  if (values === null) return threadResult(db, run.thread_id);
  return interrupts === null ? values : withInterrupts(values, interrupts);
}

/** Read from the end: the last frame with values is near it, however long the stream is. */
async function lastValues(
  db: Queryable,
  run_id: string,
): Promise<{ values: string | null; interrupts: string | null }> {
  let interrupts: string | null = null;
  let before = Number.MAX_SAFE_INTEGER;
  for (;;) {
    const events = await listEventsBackwards(db, { run_id, before });
    for (const { event, data } of events) {
      if (event !== "values") continue;
      if (!data.startsWith(INTERRUPT_ONLY)) return { values: data, interrupts };
      interrupts ??= data;
    }
    const oldest = events.at(-1);
    if (oldest === undefined) return { values: null, interrupts };
    before = oldest.seq;
  }
}

function withInterrupts(values: string, interrupts: string): string {
  const told = (JSON.parse(interrupts) as { __interrupt__: Json[] })
    .__interrupt__;
  // A static breakpoint interrupts without a question: then the state is the answer.
  if (told.length === 0) return values;
  return JSON.stringify({
    ...(JSON.parse(values) as object),
    __interrupt__: told,
  });
}

/** A run that streamed no values, or whose stream is past its retention. */
async function threadResult(db: Queryable, threadId: string): Promise<string> {
  const thread = await getThread(db, threadId, UNRESTRICTED);
  if (thread === null) return "{}";
  const values = thread.values ?? {};
  const waiting = Object.values(thread.interrupts).flat();
  const isTold = waiting.length > 0 && isObject(values);
  return JSON.stringify(
    isTold ? { ...values, __interrupt__: waiting } : values,
  );
}
