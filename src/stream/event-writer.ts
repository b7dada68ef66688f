import { setTimeout as sleep } from "node:timers/promises";
import { backoffMs } from "../lib/backoff.ts";
import { deferred, type Deferred } from "../lib/deferred.ts";
import type { Logger } from "../lib/logger.ts";
import { AppError } from "../model/errors.ts";
import { CHANNELS } from "../storage/channels.ts";
import type { Database } from "../storage/database.ts";
import {
  deleteSegmentsOf,
  writeSegment,
  type Segment,
  type SegmentLoan,
} from "../storage/event-segments.ts";
import { bytesOf, sentOf, type OpenRun } from "./open-run.ts";

/*
 * Brings what waits in the runs that are kept to `event_segments`, in the
 * background: the next flush starts when the one before is done, so latency
 * stays low and load makes the batches larger.
 *
 * What nobody follows may wait a little, so that the next checkpoint of the run, or
 * its end, takes it along in its own write (`lend`, `send`).
 */

const RETRY_BACKOFF = { firstMs: 200, maxMs: 5000 };

/** How long what is not urgent may wait. */
const HOLD_MS = 50;

/** Past it the producer is asked to wait for the disk. */
const MAX_UNFLUSHED_BYTES = 16 * 1024 * 1024;

export interface WriterDeps {
  database: Database;
  log: Logger;
  /** What is executed here, by run id. */
  runs: ReadonlyMap<string, OpenRun>;
}

export class EventWriter {
  readonly #database: Database;
  readonly #log: Logger;
  readonly #runs: ReadonlyMap<string, OpenRun>;
  /** Pending events of runs that are kept. */
  #unflushedBytes = 0;
  #isFlushing = false;
  /** Something of the next batch is not to wait. */
  #isUrgent = false;
  #endHold: () => void = () => {};
  /** The batch that is on its way to the table. */
  #batch: Promise<void> = Promise.resolve();
  /** Resolves when the batch after that one is done with, which takes what is pending now. */
  #next: Deferred<void> = deferred();

  constructor({ database, log, runs }: WriterDeps) {
    this.#database = database;
    this.#log = log;
    this.#runs = runs;
  }

  /** So much more is pending of a run that is kept. Null while there is room, else a promise that its producer waits for. */
  add(run: OpenRun, bytes: number): Promise<void> | null {
    this.#unflushedBytes += bytes;
    const isFull = this.#unflushedBytes > MAX_UNFLUSHED_BYTES;
    if (run.isUrgent || isFull) this.urge();
    if (!this.#isFlushing) void this.#flush();
    return isFull ? this.#next.promise : null;
  }

  /** What is pending of the run is waited for no more. */
  discount(run: OpenRun): void {
    this.#unflushedBytes -= bytesOf(run.pending);
  }

  /** What is pending is not to wait. */
  urge(): void {
    this.#isUrgent = true;
    this.#endHold();
  }

  /** What is pending is on its way, until it is `settled` what has become of it. */
  send(run: OpenRun): { segment: Segment; settled: () => void } {
    if (run.isKept) this.discount(run);
    run.sent = run.pending;
    run.pending = [];
    const { promise, resolve } = deferred<void>();
    run.storing = promise;
    const settled = () => {
      run.storing = null;
      resolve();
    };
    return { segment: sentOf(run), settled };
  }

  /** See `EventLog.lend`. */
  async lend(run: OpenRun): Promise<SegmentLoan | null> {
    while (run.storing !== null) await run.storing;
    const isThere = run.isKept && run.sent.length + run.pending.length > 0;
    if (!isThere || run.sent.length > 0 || !this.#isOpen(run)) return null;
    const { segment, settled } = this.send(run);
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

  /** Resolves when everything that is pending or on its way is in the table, or could not be written there. */
  async flushed(): Promise<void> {
    const sent = [...this.#runs.values()].map(({ storing }) => storing);
    await Promise.all([...sent, this.#flushedPending()]);
  }

  /** The same for one run that is kept; null when nothing is on its way. */
  stored(run: OpenRun): Promise<void> | null {
    return run.pending.length > 0 ? this.#flushedPending() : run.storing;
  }

  /** Readers at other instances look at the table. */
  tell({ key }: OpenRun): void {
    if (!this.#database.isExclusive)
      this.#database.notify(CHANNELS.events, key.thread_id);
  }

  #flushedPending(): Promise<void> {
    if (this.#unflushedBytes > 0) this.urge();
    return this.#unflushedBytes > 0 ? this.#next.promise : this.#batch;
  }

  #isOpen(run: OpenRun): boolean {
    return this.#runs.get(run.key.run_id) === run;
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
      resolve(); // even if the end of a run has left nothing to write: somebody may wait
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

  #waiting(): OpenRun[] {
    this.#isUrgent = false;
    return [...this.#runs.values()].filter(
      ({ isKept, pending, storing }) =>
        isKept && pending.length > 0 && storing === null,
    );
  }

  /** False when the database cannot be written now. */
  async #store(runs: OpenRun[]): Promise<boolean> {
    // A transaction each, so that none loses its events to another's failure; they share a commit.
    const stored = await Promise.all(runs.map((run) => this.#storeSent(run)));
    return stored.every(Boolean);
  }

  async #storeSent(run: OpenRun): Promise<boolean> {
    const { segment, settled } = this.send(run);
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
    this.tell(run);
    await this.#capSegments(run, segment);
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
    const hasRoom = this.#unflushedBytes + bytes <= MAX_UNFLUSHED_BYTES;
    if (!mayTryAgain || !this.#isOpen(run) || !hasRoom) return;
    run.pending = [...sent, ...run.pending];
    this.#unflushedBytes += bytes;
  }
}

/** The disk is full, the database restarts: the next try may succeed. */
const isPassing = (cause: unknown): boolean =>
  cause instanceof AppError &&
  (cause.code === "storage_full" || cause.code === "unavailable");
