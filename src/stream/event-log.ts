import type { Database } from "../storage/database.ts";
import {
  listEvents,
  type Segment,
  type SegmentLoan,
} from "../storage/event-segments.ts";
import type { Fence } from "../model/run.ts";
import type { ProducedEvent, RunEvent } from "../model/run-event.ts";
import { EventCap, MAX_RUN_EVENTS } from "./event-cap.ts";
import { EventWriter } from "./event-writer.ts";
import {
  bytesOf,
  eventOf,
  timed,
  unstored,
  type LogKey,
  type OpenRun,
} from "./open-run.ts";
import { furtherFrames, resultFrames, RunResults } from "./run-results.ts";
import { Newest } from "../lib/newest.ts";
import type { Logger } from "../lib/logger.ts";

/*
 * The streams of all runs. Each event gets its seq here, reaches live
 * subscribers at once, and is written to `event_segments` in the background
 * (event-writer.ts). Events are a cache of the run; the checkpoints are the truth.
 *
 * A run that nobody has asked to stream is not kept: its events stay in memory
 * for those who join it, and only what its result is made of is stored with its
 * end. When it produces more than memory should hold, or a reader falls behind,
 * it is kept from then on.
 *
 *   open(run) → append(events)… → take(run) in the finish transaction → close(run)
 */

export type Listener = (event: RunEvent) => void;

/** What the runs that are not kept may hold in memory together. */
const MAX_HELD_BYTES = 8 * 1024 * 1024;

/** Of the memory of what was executed here lately: some thousand runs. */
const MAX_BEGUN_SIZE = 1024 * 1024;

export class EventLog {
  /** For `resultOf`. */
  readonly results = new RunResults();
  readonly #database: Database;
  readonly #writer: EventWriter;
  readonly #runs = new Map<string, OpenRun>();
  /** Runs that were opened lately. */
  readonly #begun = new Newest<true>(MAX_BEGUN_SIZE);
  readonly #listeners = new Map<string, Set<Listener>>();
  /** Threads whose events are kept, and for how many readers. */
  readonly #kept = new Map<string, number>();
  #heldBytes = 0;

  constructor(deps: { database: Database; log: Logger }) {
    this.#database = deps.database;
    this.#writer = new EventWriter({ ...deps, runs: this.#runs });
  }

  /** `firstSeq` comes from the claim: higher than any that the thread has given out. */
  open(
    key: LogKey,
    firstSeq: number,
    { isKept = true, isUrgent = true } = {},
  ): void {
    this.#begun.set(key.run_id, true, 0);
    this.#runs.set(key.run_id, {
      key,
      isKept,
      isUrgent,
      nextSeq: firstSeq,
      cap: new EventCap(),
      sent: [],
      storing: null,
      settleTaken: null,
      pending: [],
      held: [],
      // What an attempt before it has streamed is in the table.
      result: key.attempt === 1 ? [] : null,
    });
  }

  /**
   * Publishes the events and queues them for the disk. Null while there is
   * room for more, else a promise that the producer waits for. Events of an
   * attempt that is not open any more are dropped.
   */
  append(
    fence: Fence,
    produced: readonly ProducedEvent[],
  ): Promise<void> | null {
    const run = this.#find(fence);
    if (run === null || produced.length === 0) return null;
    const events = produced.map(timed);
    for (const event of events) this.#publish(run, event);
    run.pending.push(...events);
    if (!run.isKept) {
      this.#heldBytes += bytesOf(events);
      if (
        this.#heldBytes > MAX_HELD_BYTES ||
        run.pending.length > MAX_RUN_EVENTS
      )
        this.keep(fence.run_id);
      return null;
    }
    run.result = furtherFrames(run.result, events);
    return this.#writer.add(run, bytesOf(events));
  }

  /** From now on the events of the run are stored, those that are in memory first. */
  keep(runId: string): void {
    const run = this.#runs.get(runId);
    if (run === undefined) return;
    run.isUrgent = true;
    if (run.isKept) {
      if (run.pending.length > 0) this.#writer.urge();
      return;
    }
    this.#drop(run);
    run.isKept = true;
    run.result = furtherFrames(run.result, run.pending);
    if (run.pending.length > 0)
      void this.#writer.add(run, bytesOf(run.pending));
  }

  /** For a reader who comes back for what it has had: what runs on the thread is kept, and what starts meanwhile. */
  keepWhileRead(threadId: string): Disposable {
    this.#kept.set(threadId, (this.#kept.get(threadId) ?? 0) + 1);
    this.keepAll(threadId);
    return {
      [Symbol.dispose]: () => {
        const left = (this.#kept.get(threadId) ?? 0) - 1;
        if (left > 0) this.#kept.set(threadId, left);
        else this.#kept.delete(threadId);
      },
    };
  }

  /** Whether somebody may come for the events of a run on the thread, whatever the run itself has asked for. */
  isRead(threadId: string): boolean {
    return this.#kept.has(threadId);
  }

  /** The same as `keep` for whatever runs on the thread. */
  keepAll(threadId: string): void {
    for (const { key } of this.#runs.values())
      if (key.thread_id === threadId) this.keep(key.run_id);
  }

  /**
   * The last events of a run. Who sees them may act on them at once, and is to
   * find the run ended and its thread free: they are published by `close`.
   */
  hold(fence: Fence, events: readonly ProducedEvent[]): void {
    const run = this.#find(fence);
    if (run !== null) run.held = events;
  }

  /**
   * What is left to write of the run, with its closing events, for the finish
   * transaction. They are published by `close`, after the commit. Waits for the
   * batch on its way: once the run is finished, its fence would refuse it.
   */
  async take(
    fence: Fence,
    closing: readonly ProducedEvent[],
  ): Promise<Segment | null> {
    const run = this.#find(fence);
    if (run === null) return null;
    while (run.storing !== null) await run.storing;
    const rest = [...run.pending, ...run.held];
    const produced = run.isKept ? rest : resultFrames(rest);
    run.result = run.isKept
      ? furtherFrames(run.result, run.held)
      : run.result && produced;
    const events = [...produced, ...closing];
    // Its last event has the number that it had live, so that the thread's numbers go on from there.
    const first_seq = run.nextSeq + run.held.length - produced.length;
    if (!run.isKept) this.#drop(run);
    run.settleTaken = this.#writer.send(run).settled;
    return { ...run.key, first_seq, events };
  }

  /**
   * What is left to write of the run, for whoever stores it together with what
   * must not be stored before it. Waits for what is on its way, and until it
   * is settled the rest waits. Null when there is nothing.
   */
  async lend(fence: Fence): Promise<SegmentLoan | null> {
    const run = this.#find(fence);
    return run === null ? null : this.#writer.lend(run);
  }

  /** Ends the attempt here. `closing` goes to the subscribers as the last events. */
  close(fence: Fence, closing: readonly ProducedEvent[]): void {
    const run = this.#find(fence);
    if (run === null) return;
    if (closing.length > 0) this.#end(run, closing);
    run.settleTaken?.();
    this.#drop(run);
    this.#runs.delete(fence.run_id);
    if (closing.length === 0) this.#writer.tell(run); // it may go on elsewhere
  }

  /**
   * Resolves when everything appended so far is in the table, or could not be
   * written there: what is lent, and what goes with the end of a run, too. Who
   * looks again before that finds what it has found, and keeps the event loop.
   */
  flushed(): Promise<void> {
    return this.#writer.flushed();
  }

  /** The same for the events of one run that are to be stored; null when they are. */
  stored(fence: Fence): Promise<void> | null {
    const run = this.#find(fence);
    if (run === null || !run.isKept) return null;
    return this.#writer.stored(run);
  }

  /**
   * Calls `listener` at once for each event of the thread that is not in the
   * table yet, and then for each new one: whoever reads the table after this
   * has missed nothing. Returns the function that ends it.
   */
  subscribe(threadId: string, listener: Listener): () => void {
    for (const run of this.#runs.values())
      if (run.key.thread_id === threadId) unstored(run).forEach(listener);
    const listeners = this.#listeners.get(threadId) ?? new Set();
    this.#listeners.set(threadId, listeners.add(listener));
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#listeners.get(threadId) === listeners)
        this.#listeners.delete(threadId);
    };
  }

  /** Whether the run, or any run of the thread, is executed here: whoever subscribes hears all of it. */
  isOpen(threadId: string, runId: string | null): boolean {
    if (runId !== null) return this.#runs.has(runId);
    return this.lastSeq(threadId) >= 0;
  }

  /** Whether an attempt at the run was made here, and lately. */
  hasBegun(runId: string): boolean {
    return this.#begun.get(runId) !== null;
  }

  /** The last number that the thread's events have got from a run that is open; -1 when none is. */
  lastSeq(threadId: string): number {
    const open = [...this.#runs.values()].filter(
      ({ key }) => key.thread_id === threadId,
    );
    return Math.max(-1, ...open.map(({ nextSeq }) => nextSeq - 1));
  }

  /** Stored events after a cursor; see `follow` for the whole of a stream. */
  list(params: Parameters<typeof listEvents>[1]): Promise<RunEvent[]> {
    return listEvents(this.#database, params);
  }

  /** The end of the run is stored. */
  #end(run: OpenRun, closing: readonly ProducedEvent[]): void {
    if (run.result !== null) this.results.remember(run.key.run_id, run.result);
    for (const produced of [...run.held, ...closing])
      this.#publish(run, produced);
    this.#writer.tell(run); // readers here have had it all, and need not look
  }

  #find(fence: Fence): OpenRun | null {
    const run = this.#runs.get(fence.run_id);
    return run?.key.attempt === fence.attempt ? run : null;
  }

  #publish(run: OpenRun, produced: ProducedEvent): void {
    const event = eventOf(run, run.nextSeq++, produced);
    for (const listener of this.#listeners.get(run.key.thread_id) ?? [])
      listener(event);
  }

  /** What is pending is not counted any more. */
  #drop(run: OpenRun): void {
    if (run.isKept) this.#writer.discount(run);
    else this.#heldBytes -= bytesOf(run.pending);
  }
}
