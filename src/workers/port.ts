import type { WorkerRequests } from "../protocol/frames.ts";
import type { GraphFailure } from "../protocol/graph-frames.ts";

export type GraphState =
  | { graph_id: string; state: "loading" }
  | { graph_id: string; state: "loaded"; milliseconds: number }
  | { graph_id: string; state: "failed"; failure: GraphFailure };

/** How services and the engine reach user code, wherever it runs. */
export interface Workers {
  /**
   * Asks one worker, and waits for the first to be ready while all of them
   * start. Rejects with AppError: the code that the worker gave (`not_found`,
   * `invalid`, `bad_request`, `conflict`), `unavailable` when no worker could
   * answer. A question whose worker died, or is blocked by a graph that keeps
   * the CPU, is asked again of another.
   */
  ask<K extends keyof WorkerRequests & string>(
    method: K,
    params: WorkerRequests[K]["params"],
  ): Promise<WorkerRequests[K]["result"]>;

  /**
   * The graphs of langgraph.json in their order, as the newest workers know
   * them. A graph that was loaded anew is another object.
   */
  graphs(): readonly GraphState[];
}
