import type { Fence } from "../model/run.ts";
import type { ProducedEvent } from "../model/run-event.ts";
import type { ServerPeer } from "./context.ts";
import { departure, type Pace } from "./pace.ts";

/** A producer waits once this much is unsent, and a notice holds about as much. */
const MAX_BATCH_CHARS = 1024 * 1024;

/** Sends the events of one attempt in order, a batch at a time. */
export class EventSender {
  readonly #peer: ServerPeer;
  readonly #attempt: Fence;
  readonly #pace: Pace;
  #unsent: ProducedEvent[] = [];
  #unsentChars = 0;
  #callOff: (() => void) | null = null;
  #leftAt = -Infinity;
  /** Of the batch that was sent last: resolves when there is room for more. Never rejects. */
  #sending: Promise<void> = Promise.resolve();
  #failure: unknown = null;

  constructor(peer: ServerPeer, attempt: Fence, pace: Pace) {
    this.#peer = peer;
    this.#attempt = attempt;
    this.#pace = pace;
  }

  /** Resolves when there is room for more. Rejects when an event is larger than a frame can be. */
  async send([event, data]: ProducedEvent): Promise<void> {
    this.#unsent.push([event, data, Date.now()]);
    this.#unsentChars += data.length;
    this.#callOff ??= departure(
      this.#pace,
      // While the pipe is full, more of them become one batch.
      () => void this.#sending.then(() => this.flush()),
      this.#leftAt,
    );
    if (this.#unsentChars >= MAX_BATCH_CHARS) {
      await this.#sending;
      this.flush();
      await this.#sending;
    }
    this.#throwFailure();
  }

  /** Sends what is waiting now, ahead of whatever goes into the pipe next. */
  flush(): void {
    const events = this.rest();
    if (events.length === 0) return;
    this.#leftAt = performance.now();
    this.#sending = this.#sendBatch(events);
  }

  /** What was not sent, for whoever sends it in another way. */
  rest(): ProducedEvent[] {
    this.#callOff?.();
    this.#callOff = null;
    const events = this.#unsent;
    this.#unsent = [];
    this.#unsentChars = 0;
    return events;
  }

  /** Resolves when everything is on its way. */
  async drain(): Promise<void> {
    this.flush();
    await this.#sending;
    this.#throwFailure();
  }

  async #sendBatch(events: ProducedEvent[]): Promise<void> {
    try {
      await this.#peer.notify("run.events", { ...this.#attempt, events });
    } catch (cause) {
      this.#failure = cause;
    }
  }

  #throwFailure(): void {
    if (this.#failure !== null) throw this.#failure;
  }
}
