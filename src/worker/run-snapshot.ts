import type { StateSnapshot } from "@langchain/langgraph";
import type { ThreadSnapshot } from "../model/thread.ts";
import type { RunExecution } from "../protocol/run-frames.ts";
import type { CompiledGraph } from "./load-graphs.ts";
import { threadSnapshot } from "./state-shape.ts";

/** How a run leaves its thread. */
export async function runSnapshot(
  graph: CompiledGraph,
  { thread_id, graph_id }: RunExecution,
): Promise<ThreadSnapshot> {
  const configurable = { thread_id, graph_id, checkpoint_ns: "" };
  const state = await graph.getState({ configurable });
  return threadSnapshot({
    ...state,
    tasks: state.tasks.filter(waitsIn(state)),
  });
}

/** A task that has been answered keeps its questions until all tasks of the step have ended. */
const waitsIn =
  ({ next }: StateSnapshot) =>
  ({ name, result }: StateSnapshot["tasks"][number]): boolean =>
    result === undefined && next.includes(name);
