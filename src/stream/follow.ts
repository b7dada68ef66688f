import type { RunEvent } from "../model/run-event.ts";
import { CHANNELS } from "../storage/channels.ts";
import type { Database } from "../storage/database.ts";
import type { EventLog } from "./event-log.ts";

/*
 * How every stream is read, in one order that leaves no gap and no duplicate:
 *
 *   1. history    what the table holds after the cursor
 *   2. subscribe  events that are not in the table yet, and new ones, go into a queue
 *   3. re-read    what reached the table between 1 and 2
 *   4. live       the queue, without what 3 has given already
 *
 * A reader that falls too far behind loses its queue and starts again at 1
 * from its cursor: memory is bounded, and it still sees everything.
 */

export interface FollowParams {
  thread_id: string;
  run_id: string;
  /** Events with a greater seq; -1 for all that are kept. */
  after: number;
  signal: AbortSignal;
  /** Whether the run has ended; asked when there is nothing more to read. */
  hasEnded: () => Promise<boolean>;
}

/** Bounds of the queue of one reader. */
const MAX_QUEUED_EVENTS = 1000;
const MAX_QUEUED_BYTES = 1024 * 1024;

const SEGMENTS_PER_PAGE = 50;

/** The events of a run from a cursor to its end. Returns when the run has ended or `signal` fires. */
export async function* follow(
  deps: { database: Database; events: EventLog },
  params: FollowParams,
): AsyncGenerator<RunEvent> {
  const { thread_id, run_id, signal } = params;
  let cursor = params.after;
  while (!signal.aborted) {
    for await (const event of history(deps.events, {
      thread_id,
      run_id,
      after: cursor,
    })) {
      cursor = event.seq;
      yield event;
      if (event.event === "end" || signal.aborted) return;
    }
    using live = new LiveQueue(deps, params);
    for await (const event of history(deps.events, {
      thread_id,
      run_id,
      after: cursor,
    })) {
      cursor = event.seq;
      yield event;
      if (event.event === "end" || signal.aborted) return;
    }
    if (await params.hasEnded()) {
      // The end may have been written between the re-read and the question.
      for await (const event of history(deps.events, {
        thread_id,
        run_id,
        after: cursor,
      }))
        yield event;
      return;
    }
    for await (const event of live) {
      if (event.seq <= cursor) continue;
      cursor = event.seq;
      yield event;
      if (event.event === "end") return;
    }
    // Overflow, or an end without an `end` event: what is in the table decides.
    if (live.hasOverflowed) {
      deps.events.keep(run_id);
      await deps.events.flushed();
    }
  }
}

async function* history(
  events: EventLog,
  params: { thread_id: string; run_id: string; after: number },
): AsyncGenerator<RunEvent> {
  let after = params.after;
  for (;;) {
    const page = await events.list({
      ...params,
      after,
      segments: SEGMENTS_PER_PAGE,
    });
    if (page.length === 0) return;
    yield* page;
    after = page.at(-1)?.seq ?? after;
  }
}

/** Live events of one run, kept until the reader comes for them. Ends at overflow, at the run's end, or by the signal. */
class LiveQueue implements Disposable, AsyncIterable<RunEvent> {
  hasOverflowed = false;
  #queue: RunEvent[] = [];
  #bytes = 0;
  #isOver = false;
  #wake: () => void = () => {};
  readonly #endings: (() => void)[];

  constructor(
    deps: { database: Database; events: EventLog },
    params: FollowParams,
  ) {
    const over = () => this.#end();
    params.signal.addEventListener("abort", over);
    this.#endings = [
      deps.events.subscribe(params.thread_id, (event) => {
        if (event.run_id === params.run_id) this.#push(event);
      }),
      deps.database.listen(CHANNELS.finished, (runId) => {
        if (runId === params.run_id) over();
      }),
      () => params.signal.removeEventListener("abort", over),
    ];
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<RunEvent> {
    for (;;) {
      const events = this.#queue;
      this.#queue = [];
      this.#bytes = 0;
      yield* events;
      if (this.#queue.length > 0) continue;
      if (this.#isOver) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  [Symbol.dispose](): void {
    for (const end of this.#endings) end();
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
