import { setImmediate as nextTurn } from "node:timers/promises";
import type { RunEvent } from "../model/run-event.ts";
import { CHANNELS } from "../storage/channels.ts";
import type { Database } from "../storage/database.ts";
import type { EventLog } from "./event-log.ts";
import { FIRST_LOOK_MS } from "./run-end.ts";

/*
 * How every stream is read, in one order that leaves no gap and no duplicate:
 *
 *   1. history    what the table holds after the cursor
 *   2. subscribe  events that are not in the table yet, and new ones, go into a queue
 *   3. re-read    what reached the table between 1 and 2
 *   4. live       the queue, without what 3 has given already; of a run that
 *                 another instance executes, what the table has got meanwhile
 *
 * The reader of a run that nobody executes yet goes live at once.
 *
 * A reader that falls too far behind loses its queue and starts again at 1
 * from its cursor: memory is bounded, and it still sees everything.
 */

export interface FollowParams {
  thread_id: string;
  /** Null: all runs of the thread, those that it has yet to get among them. */
  run_id: string | null;
  /** Events with a greater seq; -1 for all that are kept. */
  after: number;
  /** The run was accepted here just now: nothing of it is stored unless it is executed already. */
  isNew?: boolean;
  signal: AbortSignal;
  /** Whether nothing can come any more: the run has ended, the thread is gone. Asked when there is nothing more to read. */
  hasEnded: () => Promise<boolean>;
}

/** Bounds of the queue of one reader. */
const MAX_QUEUED_EVENTS = 1000;
const MAX_QUEUED_BYTES = 1024 * 1024;

const SEGMENTS_PER_PAGE = 50;

/** The events of a run, or of a thread, from a cursor to the end. Returns when that has come or `signal` fires. */
export async function* follow(
  deps: { database: Database; events: EventLog },
  params: FollowParams,
): AsyncGenerator<RunEvent> {
  for await (const batch of followInBatches(deps, params)) yield* batch;
}

/** The same, what is there at once in one piece: each step of a generator costs more than most readers do with an event. */
export async function* followInBatches(
  deps: { database: Database; events: EventLog },
  params: FollowParams,
): AsyncGenerator<RunEvent[]> {
  const { thread_id, run_id, signal } = params;
  let cursor = params.after;
  let readAgainAt = -1;
  const isLast = ({ event }: RunEvent) => event === "end" && run_id !== null;
  /** What is stored after the cursor. Returns true when that is all there will be. */
  async function* past(): AsyncGenerator<RunEvent[], boolean> {
    const stored = history(deps.events, { thread_id, run_id, after: cursor });
    for await (const page of stored) {
      cursor = page.at(-1)?.seq ?? cursor;
      yield page;
      if (page.some(isLast) || signal.aborted) return true;
    }
    return false;
  }
  /** The end may be written between the last read and the question. */
  async function* pastToEnd(): AsyncGenerator<RunEvent[], boolean> {
    if (!(await params.hasEnded())) return false;
    yield* past();
    return true;
  }
  let isNew = params.isNew === true && isYetToBegin(deps, params);
  while (!signal.aborted) {
    if (!isNew && (yield* past())) return;
    using live = new LiveQueue(deps, { ...params, isNew });
    if (!isNew && (yield* past())) return;
    if (!isNew && (yield* pastToEnd())) return;
    isNew = false;
    for await (const queued of live) {
      if (queued === LOOK) {
        if (yield* past()) return;
        if (yield* pastToEnd()) return;
        continue;
      }
      const { batch, isCut } = newOnes(queued, { cursor, run_id, readAgainAt });
      cursor = batch.at(-1)?.seq ?? cursor;
      if (batch.length > 0) yield batch;
      if (batch.some(isLast)) return;
      if (isCut) {
        readAgainAt = cursor;
        break;
      }
    }
    // Overflow, or an end without an `end` event: what is in the table decides.
    if (live.hasOverflowed) {
      deps.events.keepAll(thread_id);
      await deps.events.flushed();
      await nextTurn(); // nothing above waits for more than this process has by now
    }
  }
}

/**
 * Of the queue, what the reader has not had. Cut where numbers are missing: a
 * run may begin before the end of the one before it, which is stored, was told.
 */
function newOnes(
  queued: readonly RunEvent[],
  at: { cursor: number; run_id: string | null; readAgainAt: number },
): { batch: RunEvent[]; isCut: boolean } {
  const batch: RunEvent[] = [];
  let { cursor } = at;
  for (const event of queued) {
    if (event.seq <= cursor) continue;
    const isGap = at.run_id === null && event.seq > cursor + 1;
    if (isGap && at.readAgainAt !== cursor) return { batch, isCut: true };
    cursor = event.seq;
    batch.push(event);
  }
  return { batch, isCut: false };
}

/** NOTE: what another instance does meanwhile is found by looking later, and nobody does so where there is none. */
const isYetToBegin = (
  { database, events }: { database: Database; events: EventLog },
  { run_id }: FollowParams,
): boolean =>
  !database.isExclusive && run_id !== null && !events.hasBegun(run_id);

/** Those that there are now, and no more. */
export async function* eventsSoFar(
  { events }: { events: EventLog },
  params: { thread_id: string; run_id: string | null; after: number },
): AsyncGenerator<RunEvent> {
  const { thread_id, run_id } = params;
  const unstored: RunEvent[] = [];
  events.subscribe(thread_id, (event) => unstored.push(event))();
  let cursor = params.after;
  for await (const page of history(events, params)) {
    cursor = page.at(-1)?.seq ?? cursor;
    yield* page;
  }
  for (const event of unstored)
    if (event.seq > cursor && (run_id === null || event.run_id === run_id))
      yield event;
}

async function* history(
  events: EventLog,
  params: { thread_id: string; run_id: string | null; after: number },
): AsyncGenerator<RunEvent[]> {
  let after = params.after;
  for (;;) {
    const page = await events.list({
      ...params,
      after,
      segments: SEGMENTS_PER_PAGE,
    });
    if (page.length === 0) return;
    yield page;
    after = page.at(-1)?.seq ?? after;
  }
}

/** Among live events: another instance may have stored some. */
const LOOK = Symbol("look");

/** Live events, kept until the reader comes for them. Ends at overflow, when no more can come, or by the signal. */
class LiveQueue implements Disposable, AsyncIterable<RunEvent[] | typeof LOOK> {
  hasOverflowed = false;
  #queue: RunEvent[] = [];
  #bytes = 0;
  #mustLook = false;
  #isOver = false;
  #wake: () => void = () => {};
  readonly #endings: (() => void)[];

  constructor(
    deps: { database: Database; events: EventLog },
    params: FollowParams,
  ) {
    const { thread_id, run_id, signal } = params;
    const over = () => this.#end();
    signal.addEventListener("abort", over);
    if (signal.aborted) over(); // while the table was read: nobody would be told
    this.#endings = [
      deps.events.subscribe(thread_id, (event) => {
        if (event.seq <= params.after) return;
        if (run_id === null || event.run_id === run_id) this.#push(event);
      }),
      deps.database.listen(
        run_id === null ? CHANNELS.deleted : CHANNELS.finished,
        (id) => {
          if (id === (run_id ?? thread_id)) over();
        },
      ),
      () => signal.removeEventListener("abort", over),
    ];
    if (!deps.database.isExclusive) this.#watchOthers(deps, params);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<RunEvent[] | typeof LOOK> {
    for (;;) {
      if (this.#mustLook) {
        this.#mustLook = false;
        yield LOOK;
      }
      const events = this.#queue;
      this.#queue = [];
      this.#bytes = 0;
      if (events.length > 0) yield events;
      if (this.#queue.length > 0 || this.#mustLook) continue;
      if (this.#isOver) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  [Symbol.dispose](): void {
    for (const end of this.#endings) end();
  }

  /** A run that is executed elsewhere is read from the table: when somebody says so, and now and then. */
  #watchOthers(
    { database, events }: { database: Database; events: EventLog },
    { thread_id, run_id, isNew = false }: FollowParams,
  ): void {
    const look = () => {
      if (events.isOpen(thread_id, run_id)) return;
      this.#mustLook = true;
      this.#wake();
    };
    let timer: NodeJS.Timeout;
    const later = (ms: number) => {
      timer = setTimeout(() => {
        look();
        later(database.pollMs);
      }, ms);
    };
    const { pollMs } = database;
    later(isNew ? Math.min(FIRST_LOOK_MS, pollMs) : pollMs);
    this.#endings.push(
      () => clearTimeout(timer),
      database.listen(
        CHANNELS.events,
        (id) => {
          if (id === thread_id) look();
        },
        look,
      ),
    );
  }

  #push(event: RunEvent): void {
    if (this.#isOver) return;
    this.#bytes += event.data.length;
    if (
      this.#queue.length >= MAX_QUEUED_EVENTS ||
      this.#bytes > MAX_QUEUED_BYTES
    ) {
      this.hasOverflowed = true;
      this.#queue = [];
      return this.#end();
    }
    this.#queue.push(event);
    this.#wake();
  }

  #end(): void {
    this.#isOver = true;
    this.#wake();
  }
}
