import type { RunnableConfig } from "@langchain/core/runnables";
import type { CheckpointRef } from "../model/thread-state.ts";
import type { StateTarget } from "../protocol/state-frames.ts";
import { bindGraph } from "./bind-graph.ts";
import { SpoolCheckpointer, type CheckpointPort } from "./checkpointer.ts";
import type { WorkerContext } from "./context.ts";
import { buildGraph, type GraphUse } from "./load-graphs.ts";
import { StateCheckpointer } from "./state-checkpointer.ts";
import { SpoolStore } from "./store.ts";

type CompiledGraph = ReturnType<typeof bindGraph>;

/** The graph of a thread, to be asked about its state through any checkpoints. */
export interface StateGraph {
  target: StateTarget;
  /** The same graph, reading and writing through `port`; without `results` what tasks have written and no step has taken in is left out. */
  over(port: CheckpointPort, options?: { results: boolean }): CompiledGraph;
  /** Names a checkpoint of the thread; without `at` the newest of the root graph. */
  config(at?: CheckpointRef): RunnableConfig;
}

export async function stateGraph(
  ctx: WorkerContext,
  target: StateTarget,
  accessContext: GraphUse["accessContext"],
): Promise<StateGraph> {
  const { graph_id, configurable, context } = target;
  const graph = await buildGraph(ctx.project, graph_id, {
    configurable,
    context,
    accessContext,
  });
  const store = new SpoolStore(ctx.peer);
  return {
    target,
    over: (port, options) => {
      const saver = new SpoolCheckpointer(port);
      const checkpointer = new StateCheckpointer(saver, options);
      return bindGraph(graph, { checkpointer, store });
    },
    config: (at) => stateConfig(target, at),
  };
}

function stateConfig(target: StateTarget, at?: CheckpointRef): RunnableConfig {
  const { checkpoint_id, checkpoint_map } = at ?? {};
  const config = {
    configurable: {
      ...withoutPrivate(target.configurable),
      graph_id: target.graph_id,
      thread_id: target.thread_id,
      checkpoint_ns: at?.checkpoint_ns ?? "",
      ...(checkpoint_id === undefined ? {} : { checkpoint_id }),
      ...(checkpoint_map ? { checkpoint_map } : {}),
    },
    context: target.context,
  };
  return config;
}

const CHECKPOINT_KEYS = ["checkpoint_id", "checkpoint_ns", "checkpoint_map"];

/** Keys with two underscores steer LangGraph itself, and which checkpoint is meant is the request's to say; an assistant's config must do neither. */
const withoutPrivate = (configurable: StateTarget["configurable"]) =>
  Object.fromEntries(
    Object.entries(configurable).filter(
      ([key]) => !key.startsWith("__") && !CHECKPOINT_KEYS.includes(key),
    ),
  );
