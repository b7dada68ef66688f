import type { Fence } from "../model/run.ts";
import type {
  CheckpointQuery,
  CheckpointRequests,
  CheckpointWrite,
} from "../protocol/checkpoint-frames.ts";
import { CheckpointWriteQueue } from "./checkpoint-write-queue.ts";
import type { ServerPeer } from "./context.ts";

/** Where a saver's checkpoints are. */
export interface CheckpointPort {
  /** Newest first; see `checkpoint.read`. */
  read(
    query: CheckpointQuery & { known?: string[] },
  ): Promise<CheckpointRequests["checkpoint.read"]["result"]>;

  /** Rejects with LeaseLostError, or with IncompleteWriteError when the server misses a value that the record refers to. */
  write(write: CheckpointWrite): Promise<void>;

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

/** Nothing was stored; the same write with all its values will be. */
export class IncompleteWriteError extends Error {
  override readonly name = "IncompleteWriteError";
}

export interface RunPortParams {
  fence: Fence;
  /** A write waits for the disk; else it waits until it survives the death of the server. */
  durable: boolean;
  /** Called at each answer that says the lease is lost, before the write rejects. */
  onLost: () => void;
}

/** Writes for a run. */
export function runCheckpointPort(
  peer: ServerPeer,
  { fence, durable, onLost }: RunPortParams,
): CheckpointPort {
  const refuseLost = (answer: string) => {
    if (answer !== "lost") return;
    onLost();
    throw new LeaseLostError(fence);
  };
  const queue = new CheckpointWriteQueue(
    (writes) => peer.request("checkpoint.write", { fence, writes, durable }),
    { isAwaited: durable },
  );
  return {
    ...reading(peer),
    write: async (write) => {
      const answer = await queue.write(write);
      refuseLost(answer);
      if (answer === "incomplete")
        throw new IncompleteWriteError(
          "the server misses values of the checkpoint",
        );
    },
    deleteThread: async (thread_id) =>
      refuseLost(
        await peer.request("checkpoint.deleteThread", { fence, thread_id }),
      ),
  };
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
