import type { BaseCheckpointSaver, BaseStore } from "@langchain/langgraph";
import type { CompiledGraph } from "./graph-exports.ts";

export interface Bindings {
  checkpointer: BaseCheckpointSaver;
  store: BaseStore;
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
  { checkpointer, store }: Bindings,
): CompiledGraph {
  const shared = graph as unknown as GraphFields;
  const Graph = graph.constructor as new (fields: GraphFields) => CompiledGraph;
  const bound = new Graph({
    ...shared,
    channels: { ...(shared["channels"] as object) },
    autoValidate: false,
  });
  // Fields that the constructor does not take, and methods that the user put on the graph.
  return Object.assign(bound, graph, { checkpointer, store });
}
