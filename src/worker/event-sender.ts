import { setImmediate as nextTurn } from "node:timers/promises";
import type { Fence } from "../model/run.ts";
import type { ProducedEvent } from "../protocol/run-frames.ts";
import type { ServerPeer } from "./context.ts";

/** A producer waits once this much is unsent, and a notice holds about as much. */
const MAX_BATCH_CHARS = 1024 * 1024;

/**
 * Sends the events of one attempt in order. What is produced in one turn of
 * the event loop goes out as one notice; nobody waits longer than that.
 */
export class EventSender {
  readonly #peer: ServerPeer;
  readonly #attempt: Fence;
  #unsent: ProducedEvent[] = [];
  #unsentChars = 0;
  #sending: Promise<void> | null = null;
  #failure: unknown = null;

  constructor(peer: ServerPeer, attempt: Fence) {
    this.#peer = peer;
    this.#attempt = attempt;
  }

  /** Resolves when there is room for more. Rejects when an event is larger than a frame can be. */
  async send(event: ProducedEvent): Promise<void> {
    this.#unsent.push(event);
    this.#unsentChars += event[1].length;
    this.#sending ??= this.#sendAll();
    if (this.#unsentChars >= MAX_BATCH_CHARS) await this.#sending;
    this.#throwFailure();
  }

  /** Sends what is waiting now, ahead of whatever goes into the pipe next. */
  flush(): void {
    if (this.#unsent.length > 0) void this.#sendBatch();
  }

  /** Resolves when everything is on its way. */
  async drain(): Promise<void> {
    await this.#sending;
    this.#throwFailure();
  }

  /** Never rejects: it is often nobody's turn to wait for it. */
  async #sendAll(): Promise<void> {
    await nextTurn();
    while (this.#unsent.length > 0) await this.#sendBatch();
    this.#sending = null;
  }

  async #sendBatch(): Promise<void> {
    const events = this.#unsent;
    this.#unsent = [];
    this.#unsentChars = 0;
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
