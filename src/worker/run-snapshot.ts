import type { ThreadSnapshot } from "../model/thread.ts";
import type { RunExecution } from "../protocol/run-frames.ts";
import type { CompiledGraph } from "./graph-exports.ts";
import { threadSnapshot } from "./state-shape.ts";

/** How a run leaves its thread. */
export async function runSnapshot(
  graph: CompiledGraph,
  { thread_id, graph_id }: RunExecution,
): Promise<ThreadSnapshot> {
  const configurable = { thread_id, graph_id, checkpoint_ns: "" };
  return threadSnapshot(await graph.getState({ configurable }));
}
