import type { BaseCheckpointSaver, BaseStore } from "@langchain/langgraph";
import type { ThreadSnapshot } from "../model/thread.ts";
import type { RunExecution } from "../protocol/run-frames.ts";
import { bindGraph } from "./bind-graph.ts";
import type { CompiledGraph } from "./graph-exports.ts";
import { StateCheckpointer } from "./state-checkpointer.ts";
import { threadSnapshot } from "./state-shape.ts";

/** How a run leaves its thread. Read by the saver of the run, which has most of the values already. */
export async function runSnapshot(
  graph: CompiledGraph,
  { thread_id, graph_id }: RunExecution,
): Promise<ThreadSnapshot> {
  const state = bindGraph(graph, {
    checkpointer: new StateCheckpointer(
      graph.checkpointer as BaseCheckpointSaver,
    ),
    store: graph.store as BaseStore,
  });
  const configurable = { thread_id, graph_id, checkpoint_ns: "" };
  return threadSnapshot(await state.getState({ configurable }));
}
