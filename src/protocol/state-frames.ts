import type { Json, JsonObject } from "../lib/json.ts";
import type { CheckpointRef, ThreadState } from "../model/thread-state.ts";
import type { ThreadSnapshot } from "../model/thread.ts";
import type { CheckpointWrite } from "./checkpoint-frames.ts";
import type { Method } from "./method.ts";

/** The graph and the thread that a state request is about. */
export interface StateTarget {
  graph_id: string;
  thread_id: string;
  /** `configurable` of the thread's assistant, so that a graph factory builds the same graph. */
  configurable: JsonObject;
  context: Json;
}

export interface StateUpdate {
  values: Json;
  command?: JsonObject | null;
  as_node?: string;
}

/**
 * What an update would write. The worker stores nothing: the server writes it
 * in one transaction with the thread row, or not at all.
 */
export interface StagedUpdate {
  writes: CheckpointWrite[];
  /** The checkpoint that the update made. */
  checkpoint: CheckpointRef;
  snapshot: ThreadSnapshot;
}

export type StateRequests = {
  /** Null when the checkpoint does not exist. Without `checkpoint`: the newest of the root graph. */
  "state.get": Method<
    { target: StateTarget; checkpoint?: CheckpointRef; subgraphs: boolean },
    ThreadState | null
  >;
  /** Newest first. */
  "state.history": Method<
    {
      target: StateTarget;
      checkpoint?: CheckpointRef;
      /** Strictly older than this checkpoint id. */
      before?: string;
      /** The checkpoint's metadata must contain it. */
      metadata?: JsonObject;
      limit: number;
    },
    ThreadState[]
  >;
  "state.update": Method<
    { target: StateTarget; checkpoint?: CheckpointRef; update: StateUpdate },
    StagedUpdate
  >;
  /**
   * Supersteps on a thread that has no checkpoint yet. Fails with code
   * `invalid` and a message that names `supersteps[i].updates[j]` and why.
   */
  "state.bulkUpdate": Method<
    { target: StateTarget; supersteps: { updates: StateUpdate[] }[] },
    StagedUpdate
  >;
  /** How the thread stands now; for a run whose worker died. */
  "state.snapshot": Method<{ target: StateTarget }, ThreadSnapshot>;
};
