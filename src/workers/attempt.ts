import { PeerClosedError, PeerError } from "../protocol/peer.ts";
import type {
  RunExecution,
  RunOutcome,
  RunReport,
} from "../protocol/run-frames.ts";
import type { WorkerHandle } from "./worker-handle.ts";

/** How an attempt ended: as the worker said, or without its word. */
export type AttemptOutcome =
  /** With what is to be stored with its end: the rest of its checkpoints, and of its stream. */
  | (RunOutcome & Partial<Pick<RunReport, "writes" | "events">>)
  /** Whether it did something after its last checkpoint is unknown. */
  | WorkerDeath
  /** The server could not store or read what the run needed: the graph is not at fault. */
  | { status: "server failed"; message: string };

export interface WorkerDeath {
  status: "worker died";
  /** It was ended because of one of its runs. */
  byUs: boolean;
  /** All runs that it had; the same object for each of them. */
  company: ReadonlySet<string>;
}

/** Executes, and puts into words what is no answer of the worker. Any other error is the run's own. */
export async function attemptOutcome(
  worker: WorkerHandle,
  run: RunExecution,
): Promise<AttemptOutcome> {
  try {
    const { outcome, writes, events } = await worker.execute(run);
    return { ...outcome, writes, events };
  } catch (cause) {
    if (cause instanceof PeerClosedError)
      return {
        status: "worker died",
        byUs: worker.wasEnded,
        company: worker.fallen,
      };
    const { name, message } =
      cause instanceof PeerError ? cause.remote : (cause as Error);
    if (isServerFault(cause)) return { status: "server failed", message };
    return { status: "error", error: { error: name, message }, snapshot: null };
  }
}

/** The worker says so with the code that the server refused it with. */
const isServerFault = (cause: unknown): boolean =>
  cause instanceof PeerError &&
  (cause.remote.code === "unavailable" || cause.remote.code === "storage_full");
