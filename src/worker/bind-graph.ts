import type { BaseCheckpointSaver, BaseStore } from "@langchain/langgraph";
import type { CompiledGraph } from "./graph-exports.ts";
import { gatedNodes, type StepGate } from "./step-gate.ts";

export interface Bindings {
  checkpointer: BaseCheckpointSaver;
  store: BaseStore;
  /** Passed before each step; absent: there is none. */
  gate?: StepGate;
}

type GraphFields = Record<string, unknown>;

/**
 * The same graph with a checkpointer and store of its own, for one run: many
 * runs share the loaded graph, so that one is left as it is. Whatever the
 * user compiled in is overridden.
 *
 * Made by the graph's own constructor, because a Pregel has private members
 * that a prototype or a proxy would not carry. NOTE: its validation appends to
 * `triggerToNodes`, and it sets a channel; the copies keep both from the
 * shared graph.
 */
export function bindGraph(
  graph: CompiledGraph,
  { checkpointer, store, gate }: Bindings,
): CompiledGraph {
  const shared = graph as unknown as GraphFields;
  const Graph = graph.constructor as new (fields: GraphFields) => CompiledGraph;
  const bound = new Graph({
    ...shared,
    channels: { ...(shared["channels"] as object) },
    autoValidate: false,
  });
  // Fields that the constructor does not take, and methods that the user put on the graph.
  return Object.assign(bound, graph, {
    checkpointer,
    store,
    ...(gate && { nodes: gatedNodes(graph.nodes, gate) }),
  });
}
