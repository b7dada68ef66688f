import type { Fence } from "../model/run.ts";
import type { ProducedEvent, RunEvent } from "../model/run-event.ts";
import type { Segment } from "../storage/event-segments.ts";
import type { EventCap } from "./event-cap.ts";

/** The run's identity in the log: where its events go, and the fence of the attempt that makes them. */
export interface LogKey extends Fence {
  thread_id: string;
}

/** What the log has in memory of a run that is executed here. */
export interface OpenRun {
  key: LogKey;
  isKept: boolean;
  /** Somebody follows it, or is expected to. */
  isUrgent: boolean;
  nextSeq: number;
  readonly cap: EventCap;
  /** On their way to the table. */
  sent: ProducedEvent[];
  /** Resolves when it is known whether those are stored. */
  storing: Promise<void> | null;
  /** Tells that, of those that go with the end of the run. */
  settleTaken: (() => void) | null;
  /** Published after those, and not yet sent. */
  pending: ProducedEvent[];
  /** The last ones: stored with the end of the run, and published after it. */
  held: readonly ProducedEvent[];
  /** What its result is made of, as far as that is not in `pending` of a run that is not kept. Null: the table knows. */
  result: readonly ProducedEvent[] | null;
}

/** Before it is published and stored, so that both tell the same time. */
export const timed = (event: ProducedEvent): ProducedEvent =>
  event[2] === undefined ? [event[0], event[1], Date.now()] : event;

export function eventOf(
  { key }: OpenRun,
  seq: number,
  [event, data, at = Date.now()]: ProducedEvent,
): RunEvent {
  return { seq, run_id: key.run_id, attempt: key.attempt, event, data, at };
}

export const sentOf = (run: OpenRun): Segment => ({
  ...run.key,
  first_seq: run.nextSeq - run.sent.length - run.pending.length,
  events: run.sent,
});

/** With the numbers that they have got. */
export function unstored(run: OpenRun): RunEvent[] {
  const events = [...run.sent, ...run.pending];
  const firstSeq = run.nextSeq - events.length;
  return events.map((produced, index) =>
    eventOf(run, firstSeq + index, produced),
  );
}

export const bytesOf = (events: readonly ProducedEvent[]): number =>
  events.reduce((sum, [event, data]) => sum + event.length + data.length, 0);
