import { setImmediate as nextTurn } from "node:timers/promises";
import { deferred, type Deferred } from "../lib/deferred.ts";
import type {
  CheckpointRequests,
  CheckpointWrite,
} from "../protocol/checkpoint-frames.ts";
import { PeerClosedError } from "../protocol/peer.ts";

export type WriteAnswer = CheckpointRequests["checkpoint.write"]["result"];

/** Stores all of them or none. */
export type SendWrites = (
  writes: readonly CheckpointWrite[],
) => Promise<WriteAnswer>;

/** A frame holds a single write of any size, or about this much of several. */
const MAX_BATCH_BYTES = 8 * 1024 * 1024;

interface Waiting extends Deferred<WriteAnswer> {
  write: CheckpointWrite;
}

/**
 * Sends what one run stores in the order in which it comes, a batch at a time:
 * what comes while one is on its way goes with the next. A step of LangGraph's
 * is several writes, and each batch costs a transaction and two wake-ups.
 */
export class CheckpointWriteQueue {
  readonly #send: SendWrites;
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #isSending = false;

  constructor(send: SendWrites) {
    this.#send = send;
  }

  /** More than a batch waits: whoever writes should wait, too. */
  get isFull(): boolean {
    return this.#waitingBytes > MAX_BATCH_BYTES;
  }

  write(write: CheckpointWrite): Promise<WriteAnswer> {
    const waiting = { write, ...deferred<WriteAnswer>() };
    this.#waiting.push(waiting);
    this.#waitingBytes += sizeOf(write);
    if (!this.#isSending) void this.#sendAll();
    return waiting.promise;
  }

  async #sendAll(): Promise<void> {
    this.#isSending = true;
    await nextTurn(); // what the same step still brings goes along
    while (this.#waiting.length > 0) await this.#sendBatch(this.#nextBatch());
    this.#isSending = false;
  }

  #nextBatch(): Waiting[] {
    let bytes = 0;
    const end = this.#waiting.findIndex(({ write }) => {
      bytes += sizeOf(write);
      return bytes > MAX_BATCH_BYTES;
    });
    const batch = this.#waiting.splice(
      0,
      end === -1 ? Infinity : Math.max(end, 1),
    );
    for (const { write } of batch) this.#waitingBytes -= sizeOf(write);
    return batch;
  }

  /** When a batch is refused, one of it is to blame: each is sent alone, to hear its own answer. */
  async #sendBatch(batch: readonly Waiting[]): Promise<void> {
    try {
      const answer = await this.#send(batch.map(({ write }) => write));
      if (answer === "incomplete" && batch.length > 1)
        return await this.#sendEach(batch);
      for (const { resolve } of batch) resolve(answer);
    } catch (cause) {
      if (batch.length > 1 && !(cause instanceof PeerClosedError))
        return this.#sendEach(batch);
      for (const { reject } of batch) reject(cause);
    }
  }

  async #sendEach(batch: readonly Waiting[]): Promise<void> {
    for (const one of batch) await this.#sendBatch([one]);
  }
}

const sizeOf = (write: CheckpointWrite): number =>
  (write.kind === "put" ? write.values : write.writes).reduce(
    (sum, { data }) => sum + data.length,
    0,
  );
