import { deferred, type Deferred } from "../lib/deferred.ts";
import type {
  CheckpointRequests,
  CheckpointWrite,
} from "../protocol/checkpoint-frames.ts";
import { PeerClosedError } from "../protocol/peer.ts";
import { departure, type Pace } from "./pace.ts";

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
 * Sends what one run stores in the order in which it comes, a batch at a time.
 * A step of LangGraph's is several writes, and each batch costs a transaction
 * and two wake-ups.
 */
export class CheckpointWriteQueue {
  readonly #send: SendWrites;
  readonly #pace: Pace;
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  /** Waiting, or on its way. */
  #unstoredBytes = 0;
  #callOff: (() => void) | null = null;

  constructor(send: SendWrites, pace: Pace) {
    this.#send = send;
    this.#pace = pace;
  }

  /** More than a batch is not stored yet: whoever writes should wait, too. */
  get isFull(): boolean {
    return this.#unstoredBytes > MAX_BATCH_BYTES;
  }

  write(write: CheckpointWrite): Promise<WriteAnswer> {
    const waiting = { write, ...deferred<WriteAnswer>() };
    this.#waiting.push(waiting);
    this.#waitingBytes += sizeOf(write);
    this.#unstoredBytes += sizeOf(write);
    if (this.#waitingBytes > MAX_BATCH_BYTES) this.flush();
    else this.#callOff ??= departure(this.#pace, () => this.flush());
    return waiting.promise;
  }

  /** Sends what is waiting now. */
  flush(): void {
    const waiting = this.#take();
    while (waiting.length > 0) void this.#sendBatch(nextBatch(waiting));
  }

  /** What was not sent, for whoever sends it in another way; those who wrote it hear that all is well. */
  rest(): CheckpointWrite[] {
    const rest = this.#take();
    for (const { write, resolve } of rest) {
      this.#unstoredBytes -= sizeOf(write);
      resolve("stored");
    }
    return rest.map(({ write }) => write);
  }

  #take(): Waiting[] {
    this.#callOff?.();
    this.#callOff = null;
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes = 0;
    return waiting;
  }

  /** When a batch is refused, one of it is to blame: each is sent alone, to hear its own answer. */
  async #sendBatch(batch: readonly Waiting[]): Promise<void> {
    try {
      const answer = await this.#send(batch.map(({ write }) => write));
      if (answer === "incomplete" && batch.length > 1)
        return await this.#sendEach(batch);
      for (const { resolve } of this.#done(batch)) resolve(answer);
    } catch (cause) {
      if (batch.length > 1 && !(cause instanceof PeerClosedError))
        return this.#sendEach(batch);
      for (const { reject } of this.#done(batch)) reject(cause);
    }
  }

  #done(batch: readonly Waiting[]): readonly Waiting[] {
    for (const { write } of batch) this.#unstoredBytes -= sizeOf(write);
    return batch;
  }

  async #sendEach(batch: readonly Waiting[]): Promise<void> {
    for (const one of batch) await this.#sendBatch([one]);
  }
}

/** Takes it from the front of `waiting`. */
function nextBatch(waiting: Waiting[]): Waiting[] {
  let bytes = 0;
  const end = waiting.findIndex(({ write }) => {
    bytes += sizeOf(write);
    return bytes > MAX_BATCH_BYTES;
  });
  return waiting.splice(0, end === -1 ? Infinity : Math.max(end, 1));
}

const sizeOf = (write: CheckpointWrite): number =>
  (write.kind === "put" ? write.values : write.writes).reduce(
    (sum, { data }) => sum + data.length,
    0,
  );
