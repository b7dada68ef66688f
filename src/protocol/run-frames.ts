import type { JsonObject } from "../lib/json.ts";
import type { ProducedEvent } from "../model/run-event.ts";
import type {
  Fence,
  RefusedResume,
  RunError,
  RunKwargs,
} from "../model/run.ts";
import type { ThreadSnapshot } from "../model/thread.ts";
import type {
  CheckpointRequests,
  CheckpointWrite,
} from "./checkpoint-frames.ts";
import type { Method } from "./method.ts";

/** One attempt at a run. */
export interface RunExecution {
  run_id: string;
  /** Counts from 1. With `run_id` it is the fence of every write. */
  attempt: number;
  thread_id: string;
  assistant_id: string;
  graph_id: string;
  /** What the client asked for, `config.configurable` complete with the ids. */
  kwargs: RunKwargs;
  /** Run metadata, for `config.metadata`. */
  metadata: JsonObject;
  /** The newest checkpoint of the root graph, so that the worker need not ask; null: it must. */
  head: CheckpointRequests["checkpoint.read"]["result"] | null;
  /** Somebody may follow the run while it goes on: what it produces is sent at once. */
  watched: boolean;
  /** Somebody follows the thread by the streaming protocol. */
  followed: boolean;
  /** An earlier attempt has applied the input: invoke with null from the newest checkpoint. */
  resume: boolean;
}

export type RunOutcome =
  | { status: "success"; snapshot: ThreadSnapshot }
  | {
      status: "error";
      error: RunError;
      snapshot: ThreadSnapshot | null;
      refusal?: RefusedResume;
    }
  /** Stopped by `run.cancel`. */
  | { status: "interrupted"; snapshot: ThreadSnapshot | null }
  /** Another attempt holds the run: whatever this one did since is not stored. */
  | { status: "lost" };

/** How an attempt ended, with what it had not sent yet: that is stored in the transaction that ends the run. */
export interface RunReport {
  outcome: RunOutcome;
  events: ProducedEvent[];
  writes: readonly CheckpointWrite[];
}

export type RunRequests = {
  /** Runs until the graph ends. Events come as `run.events` notices before the reply, and the last of them with it. */
  "run.execute": Method<RunExecution, RunReport>;
};

export type RunControls = {
  /** Abort signal to the graph. Unknown runs are ignored. */
  "run.cancel": Fence;
};

export type RunNotices = {
  "run.events": Fence & { events: ProducedEvent[] };
};
