import { setTimeout as sleep } from "node:timers/promises";
import { backoffMs } from "../lib/backoff.ts";
import { AppError } from "../model/errors.ts";
import { CHANNELS } from "../storage/channels.ts";
import type { Database } from "../storage/database.ts";
import {
  deleteSegmentsOf,
  writeSegment,
  listEvents,
  type Segment,
  type SegmentLoan,
} from "../storage/event-segments.ts";
import type { Fence } from "../model/run.ts";
import type { ProducedEvent, RunEvent } from "../model/run-event.ts";
import { EventCap, MAX_RUN_EVENTS } from "./event-cap.ts";
import {
  bytesOf,
  eventOf,
  sentOf,
  timed,
  unstored,
  type LogKey,
  type OpenRun,
} from "./open-run.ts";
import { furtherFrames, resultFrames, RunResults } from "./run-results.ts";
import { Newest } from "../lib/newest.ts";
import { deferred, type Deferred } from "../lib/deferred.ts";
import type { Logger } from "../lib/logger.ts";

/*
 * The streams of all runs. Each event gets its seq here, reaches live
 * subscribers at once, and is written to `event_segments` in the background:
 * the next flush starts when the one before is done, so latency stays low and
 * load makes the batches larger. Events are a cache of the run; the
 * checkpoints are the truth.
 *
 * A run that nobody has asked to stream is not kept: its events stay in memory
 * for those who join it, and only what its result is made of is stored with its
 * end. When it produces more than memory should hold, or a reader falls behind,
 * it is kept from then on.
 *
 * What nobody follows may wait a little, so that the next checkpoint of the run, or
 * its end, takes it along in its own write (`lend`, `take`).
 *
 *   open(run) → append(events)… → take(run) in the finish transaction → close(run)
 */

export type Listener = (event: RunEvent) => void;

const RETRY_BACKOFF = { firstMs: 200, maxMs: 5000 };

/** How long what is not urgent may wait. */
const HOLD_MS = 50;

/** Past it `append` asks the producer to wait for the disk. */
const MAX_UNFLUSHED_BYTES = 16 * 1024 * 1024;

/** What the runs that are not kept may hold in memory together. */
const MAX_HELD_BYTES = 8 * 1024 * 1024;

/** Of the memory of what was executed here lately: some thousand runs. */
const MAX_BEGUN_SIZE = 1024 * 1024;

export class EventLog {
  /** For `resultOf`. */
  readonly results = new RunResults();
  readonly #database: Database;
  readonly #log: Logger;
  readonly #runs = new Map<string, OpenRun>();
  /** Runs that were opened lately. */
  readonly #begun = new Newest<true>(MAX_BEGUN_SIZE);
  readonly #listeners = new Map<string, Set<Listener>>();
  /** Threads whose events are kept, and for how many readers. */
  readonly #kept = new Map<string, number>();
  #unflushedBytes = 0;
  #heldBytes = 0;
  #isFlushing = false;
  /** Something of the next batch is not to wait. */
  #isUrgent = false;
  #endHold: () => void = () => {};
  /** The batch that is on its way to the table. */
  #batch: Promise<void> = Promise.resolve();
  /** Resolves when the batch after that one is done with, which takes what is pending now. */
  #next: Deferred<void> = deferred();

  constructor(deps: { database: Database; log: Logger }) {
    this.#database = deps.database;
    this.#log = deps.log;
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
    this.#unflushedBytes += bytesOf(events);
    const isFull = this.#unflushedBytes > MAX_UNFLUSHED_BYTES;
    if (run.isUrgent || isFull) this.#urge();
    if (!this.#isFlushing) void this.#flush();
    return isFull ? this.#next.promise : null;
  }

  /** From now on the events of the run are stored, those that are in memory first. */
  keep(runId: string): void {
    const run = this.#runs.get(runId);
    if (run === undefined) return;
    run.isUrgent = true;
    if (run.pending.length > 0) this.#urge();
    if (run.isKept) return;
    this.#drop(run);
    run.isKept = true;
    run.result = furtherFrames(run.result, run.pending);
    if (run.pending.length === 0) return;
    this.#unflushedBytes += bytesOf(run.pending);
    if (!this.#isFlushing) void this.#flush();
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
    run.settleTaken = this.#send(run).settled;
    return { ...run.key, first_seq, events };
  }

  /**
   * What is left to write of the run, for whoever stores it together with what
   * must not be stored before it. Waits for what is on its way, and until it
   * is settled the rest waits. Null when there is nothing.
   */
  async lend(fence: Fence): Promise<SegmentLoan | null> {
    const run = this.#find(fence);
    if (run === null) return null;
    while (run.storing !== null) await run.storing;
    const isThere = run.isKept && run.sent.length + run.pending.length > 0;
    if (!isThere || run.sent.length > 0 || this.#find(fence) !== run)
      return null;
    const { segment, settled } = this.#send(run);
    return {
      segment,
      settle: (isStored) => {
        if (isStored) void this.#hasStored(run, segment);
        else this.#takeBack(run, true);
        settled();
        if (!isStored && !this.#isFlushing) void this.#flush();
      },
    };
  }

  /** Ends the attempt here. `closing` goes to the subscribers as the last events. */
  close(fence: Fence, closing: readonly ProducedEvent[]): void {
    const run = this.#find(fence);
    if (run === null) return;
    if (closing.length > 0) this.#end(run, closing);
    run.settleTaken?.();
    this.#drop(run);
    this.#runs.delete(fence.run_id);
    if (closing.length === 0) this.#tell(run); // it may go on elsewhere
  }

  /**
   * Resolves when everything appended so far is in the table, or could not be
   * written there: what is lent, and what goes with the end of a run, too. Who
   * looks again before that finds what it has found, and keeps the event loop.
   */
  async flushed(): Promise<void> {
    const sent = [...this.#runs.values()].map(({ storing }) => storing);
    await Promise.all([...sent, this.#flushedPending()]);
  }

  #flushedPending(): Promise<void> {
    if (this.#unflushedBytes > 0) this.#urge();
    return this.#unflushedBytes > 0 ? this.#next.promise : this.#batch;
  }

  /** The same for the events of one run that are to be stored; null when they are. */
  stored(fence: Fence): Promise<void> | null {
    const run = this.#find(fence);
    if (run === null || !run.isKept) return null;
    return run.pending.length > 0 ? this.#flushedPending() : run.storing;
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
    this.#tell(run); // readers here have had it all, and need not look
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
    const bytes = bytesOf(run.pending);
    if (run.isKept) this.#unflushedBytes -= bytes;
    else this.#heldBytes -= bytes;
  }

  #markSent(run: OpenRun): void {
    run.sent = run.pending;
    run.pending = [];
  }

  async #flush(): Promise<void> {
    this.#isFlushing = true;
    // Wait for the end of this turn: what it still brings joins the batch.
    await new Promise(setImmediate);
    let failures = 0;
    do {
      await this.#untilDue();
      const { resolve } = this.#next;
      this.#next = deferred();
      const batch = this.#store(this.#waiting());
      this.#batch = batch.then(() => {});
      failures = (await batch) ? 0 : failures + 1;
      resolve(); // even if `take` has left nothing to write: somebody may wait
      if (failures > 0)
        await sleep(backoffMs(failures, RETRY_BACKOFF), null, { ref: false });
    } while (this.#unflushedBytes > 0);
    this.#isFlushing = false;
    // The end of a run may have taken what somebody waits for.
    this.#next.resolve();
    this.#next = deferred();
  }

  /** What waits is in nobody's way, and may go with something else meanwhile. */
  async #untilDue(): Promise<void> {
    if (!this.#isUrgent)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, HOLD_MS);
        this.#endHold = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    for (const { isKept, pending, storing } of this.#runs.values())
      if (isKept && pending.length > 0) await storing; // it is lent
  }

  #urge(): void {
    this.#isUrgent = true;
    this.#endHold();
  }

  #waiting(): OpenRun[] {
    this.#isUrgent = false;
    return [...this.#runs.values()].filter(
      ({ isKept, pending, storing }) =>
        isKept && pending.length > 0 && storing === null,
    );
  }

  /** What is pending is on its way, until it is `settled` what has become of it. */
  #send(run: OpenRun): { segment: Segment; settled: () => void } {
    this.#drop(run);
    this.#markSent(run);
    const { promise, resolve } = deferred<void>();
    run.storing = promise;
    const settled = () => {
      run.storing = null;
      resolve();
    };
    return { segment: sentOf(run), settled };
  }

  /** False when the database cannot be written now. */
  async #store(runs: OpenRun[]): Promise<boolean> {
    // A transaction each, so that none loses its events to another's failure; they share a commit.
    const stored = await Promise.all(runs.map((run) => this.#storeSent(run)));
    return stored.every(Boolean);
  }

  async #storeSent(run: OpenRun): Promise<boolean> {
    const { segment, settled } = this.#send(run);
    try {
      // An attempt that has lost its lease stores nothing; its checkpoints tell the dispatcher.
      await writeSegment(this.#database, segment);
    } catch (cause) {
      this.#log.error({ err: cause }, "events could not be stored");
      this.#takeBack(run, isPassing(cause));
      settled();
      return !isPassing(cause);
    }
    const capped = this.#hasStored(run, segment);
    settled();
    await capped;
    return true;
  }

  async #hasStored(run: OpenRun, segment: Segment): Promise<void> {
    run.sent = [];
    this.#tell(run);
    await this.#capSegments(run, segment);
  }

  /** Readers at other instances look at the table. */
  #tell({ key }: OpenRun): void {
    if (!this.#database.isExclusive)
      this.#database.notify(CHANNELS.events, key.thread_id);
  }

  async #capSegments({ cap }: OpenRun, segment: Segment): Promise<void> {
    const { run_id, first_seq, events } = segment;
    const upTo = cap.add(first_seq + events.length - 1, bytesOf(events));
    if (upTo === null) return;
    try {
      await this.#database.transaction((tx) =>
        deleteSegmentsOf(tx, { run_id, upTo }),
      );
    } catch (cause) {
      // The next cut takes these too.
      this.#log.warn({ err: cause, run_id }, "events past the cap stay");
    }
  }

  /**
   * Events that were not stored wait for the next flush, while there is room
   * for them. Else live readers have seen them; only a replay will miss them.
   */
  #takeBack(run: OpenRun, mayTryAgain: boolean): void {
    const { sent } = run;
    run.sent = [];
    const bytes = bytesOf(sent);
    const isOpen = this.#runs.get(run.key.run_id) === run;
    const hasRoom = this.#unflushedBytes + bytes <= MAX_UNFLUSHED_BYTES;
    if (!mayTryAgain || !isOpen || !hasRoom) return;
    run.pending = [...sent, ...run.pending];
    this.#unflushedBytes += bytes;
  }
}

/** The disk is full, the database restarts: the next try may succeed. */
const isPassing = (cause: unknown): boolean =>
  cause instanceof AppError &&
  (cause.code === "storage_full" || cause.code === "unavailable");
