import type { Fence } from "../model/run.ts";
import type {
  CheckpointQuery,
  CheckpointRequests,
  CheckpointWrite,
} from "../protocol/checkpoint-frames.ts";
import { CheckpointWriteQueue } from "./checkpoint-write-queue.ts";
import { LatestCheckpoint } from "./latest-checkpoint.ts";
import type { ServerPeer } from "./context.ts";
import type { Pace } from "./pace.ts";

/** Where a saver's checkpoints are. */
export interface CheckpointPort {
  /** Newest first; see `checkpoint.read`. */
  read(
    query: CheckpointQuery & { known?: string[] },
  ): Promise<CheckpointRequests["checkpoint.read"]["result"]>;

  /**
   * Resolves when it is stored, or when the port has taken charge of it. Rejects
   * with LeaseLostError. `whole` makes the same write with all its values, for
   * when the server misses one that the record refers to.
   */
  write(write: CheckpointWrite, whole?: () => CheckpointWrite): Promise<void>;

  /** See `checkpoint.deltaHistory`. */
  deltaHistory(
    query: CheckpointRequests["checkpoint.deltaHistory"]["params"],
  ): Promise<CheckpointRequests["checkpoint.deltaHistory"]["result"]>;

  /** Deletes the thread's checkpoints, not the thread. Rejects with LeaseLostError. */
  deleteThread(thread_id: string): Promise<void>;
}

/** Another attempt holds the run, or it has ended: nothing of what this one writes is stored. */
export class LeaseLostError extends Error {
  override readonly name = "LeaseLostError";
  constructor(fence: Fence) {
    super(`attempt ${fence.attempt} of run ${fence.run_id} has lost its lease`);
  }
}

export interface RunPortParams {
  fence: Fence;
  thread_id: string;
  /** The newest checkpoint of the thread when the run was claimed; null when nobody has looked. */
  head: CheckpointRequests["checkpoint.read"]["result"] | null;
  /** A write waits for the disk, as durability `sync` asks; else `flushed` waits for all of them. */
  durable: boolean;
  pace: Pace;
  /** What the step has streamed goes first: once its checkpoint is stored it is not done again, and would not be streamed again. */
  beforeWrite: () => void;
  /** Called at each answer that says the lease is lost. */
  onLost: () => void;
}

export interface RunCheckpointPort extends CheckpointPort {
  /** What was written is in the hands of the system before anything else happens, even if this process is busy or killed from now on. */
  sendNow(): void;
  /** Resolves when all that was written is stored; rejects when some of it could not be. */
  flushed(): Promise<void>;
  /** As `flushed`, but for what was not sent yet, which it gives to its caller to be stored with the end of the run. */
  rest(): Promise<CheckpointWrite[]>;
}

/**
 * Writes for a run. LangGraph waits for one checkpoint before it stores the
 * next, so unless the run's durability is `sync` it is told at once that all is
 * well, and the truth comes with `flushed` or `rest`, before the run may end.
 */
export function runCheckpointPort(
  peer: ServerPeer,
  params: RunPortParams,
): RunCheckpointPort {
  const { fence, thread_id, durable } = params;
  const queue = new CheckpointWriteQueue((writes) => {
    params.beforeWrite();
    return peer.request("checkpoint.write", { fence, writes, durable });
  }, params.pace);
  const latest = new LatestCheckpoint(thread_id, params.head);
  const { read, deltaHistory } = reading(peer);
  const refuseLost = refusing(params);
  const store = storing(queue, refuseLost);
  const pending = new PendingWrites();
  const flushed = (): Promise<void> => {
    queue.flush();
    return pending.settled();
  };
  return {
    // A question to the server must not overtake what was written before it.
    read: async (query) => {
      const answer = latest.answer(query);
      if (answer !== null) return answer;
      await flushed();
      return read(query);
    },
    deltaHistory: async (query) => {
      await flushed();
      return deltaHistory(query);
    },
    write: async (write, whole) => {
      latest.add(write);
      const stored = store(write, whole);
      if (durable) return stored;
      pending.add(stored);
      if (queue.isFull) await flushed();
    },
    sendNow: () => {
      queue.flush();
      peer.sendNow();
    },
    flushed,
    rest: async () => {
      const rest = queue.rest();
      await pending.settled();
      return rest;
    },
    deleteThread: async (id) => {
      await flushed();
      latest.forget();
      refuseLost(
        await peer.request("checkpoint.deleteThread", { fence, thread_id: id }),
      );
    },
  };
}

type RefuseLost = (answer: string) => void;

const refusing =
  ({ fence, onLost }: RunPortParams): RefuseLost =>
  (answer) => {
    if (answer !== "lost") return;
    onLost();
    throw new LeaseLostError(fence);
  };

/** Resolves when the write is stored, if need be with all its values. */
const storing =
  (queue: CheckpointWriteQueue, refuseLost: RefuseLost) =>
  async (write: CheckpointWrite, whole?: () => CheckpointWrite) => {
    let answer = await queue.write(write);
    if (answer === "incomplete" && whole !== undefined)
      answer = await queue.write(whole());
    refuseLost(answer);
    if (answer === "incomplete")
      throw new Error("the server misses values of a checkpoint");
  };

/** Writes whose answers nobody awaits one by one. */
class PendingWrites {
  #last: Promise<void> = Promise.resolve();

  add(stored: Promise<void>): void {
    this.#last = Promise.all([this.#last, stored]).then(() => {});
    this.#last.catch(() => {}); // whoever asks for it hears of it
  }

  /** Rejects for good once one of them has failed: nothing after it may count. */
  settled(): Promise<void> {
    return this.#last;
  }
}

/** For questions about a thread's state. */
export function readOnlyCheckpointPort(peer: ServerPeer): CheckpointPort {
  const refuse = async (): Promise<never> => {
    throw new Error("checkpoints cannot be written here, only read");
  };
  return { ...reading(peer), write: refuse, deleteThread: refuse };
}

const reading = (
  peer: ServerPeer,
): Pick<CheckpointPort, "read" | "deltaHistory"> => ({
  read: (query) => peer.request("checkpoint.read", query),
  deltaHistory: (query) => peer.request("checkpoint.deltaHistory", query),
});
