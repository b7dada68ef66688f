import type { StateSnapshot } from "@langchain/langgraph";
import type { CheckpointRef } from "../model/thread-state.ts";
import {
  PeerClosedError,
  PeerError,
  type RequestServer,
} from "../protocol/peer.ts";
import type { JsonObject } from "../lib/json.ts";
import type {
  StagedUpdate,
  StateRequests,
  StateTarget,
} from "../protocol/state-frames.ts";
import { readOnlyCheckpointPort, type CheckpointPort } from "./checkpointer.ts";
import type { WorkerContext } from "./context.ts";
import { Refusal } from "./refusal.ts";
import { stagedPort } from "./staged-checkpoints.ts";
import { stateGraph, type StateGraph } from "./state-graph.ts";
import {
  checkpointRef,
  isMissing,
  threadSnapshot,
  threadState,
} from "./state-shape.ts";
import { applySupersteps, applyUpdate } from "./state-update.ts";

/** Serves what the server asks about the states of threads. Nothing here stores anything. */
export function stateRequests(
  ctx: WorkerContext,
): RequestServer<StateRequests> {
  const stored = () => readOnlyCheckpointPort(ctx.peer);

  return {
    "state.get": async ({ target, checkpoint, subgraphs }) => {
      const state = await stateGraph(ctx, target, "threads.read");
      const snapshot = await snapshotAt(state, {
        port: stored(),
        checkpoint,
        subgraphs,
      });
      return isMissing(snapshot) ? null : threadState(snapshot);
    },

    "state.history": async ({
      target,
      checkpoint,
      before,
      metadata,
      limit,
    }) => {
      const state = await stateGraph(ctx, target, "threads.read");
      const states = state
        .over(stored())
        .getStateHistory(state.config(checkpoint), {
          limit,
          ...(before === undefined
            ? {}
            : { before: olderThan(target, before) }),
          ...(metadata === undefined ? {} : { filter: metadata }),
        });
      const history = [];
      for await (const snapshot of states) history.push(threadState(snapshot));
      return history;
    },

    "state.update": async ({ target, checkpoint, update }) => {
      const state = await stateGraph(ctx, target, "threads.update");
      const port = stagedPort(stored(), identity(target));
      const start = state.config(checkpoint);
      if (checkpoint?.checkpoint_id !== undefined)
        await requireCheckpoint(state, port, checkpoint.checkpoint_id, start);
      const end = await applyUpdate(state, { port, start, update });
      return stagedUpdate(state, port, end);
    },

    "state.bulkUpdate": async ({ target, supersteps }) => {
      const state = await stateGraph(ctx, target, "threads.update");
      const port = stagedPort(null, identity(target));
      const start = state.config();
      const end = await applySupersteps(state, { port, start, supersteps });
      return stagedUpdate(state, port, end);
    },

    "state.snapshot": async ({ target }) => {
      const state = await stateGraph(ctx, target, "threads.read");
      return threadSnapshot(await snapshotAt(state, { port: stored() }));
    },
  };
}

/**
 * A run that failed on what its tasks wrote, such as messages that are none,
 * leaves that behind, and LangGraph fails on it again when it makes up the
 * state. The state is then what it was before.
 */
async function snapshotAt(
  state: StateGraph,
  {
    port,
    checkpoint,
    subgraphs = false,
  }: {
    port: CheckpointPort;
    checkpoint?: CheckpointRef | undefined;
    subgraphs?: boolean;
  },
): Promise<StateSnapshot> {
  const config = state.config(checkpoint);
  try {
    return await state.over(port).getState(config, { subgraphs });
  } catch (cause) {
    if (cause instanceof PeerError || cause instanceof PeerClosedError)
      throw cause;
    return state.over(port, { results: false }).getState(config, { subgraphs });
  }
}

/** As runs have it in the metadata of their checkpoints; LangGraph gives an update none of it. */
const identity = ({
  thread_id,
  graph_id,
  configurable,
}: StateTarget): JsonObject => ({
  thread_id,
  graph_id,
  ...(configurable["assistant_id"] === undefined
    ? {}
    : { assistant_id: configurable["assistant_id"] }),
});

const olderThan = (target: { thread_id: string }, checkpointId: string) => ({
  configurable: { thread_id: target.thread_id, checkpoint_id: checkpointId },
});

/** LangGraph would start an empty state from a checkpoint that is not there. */
async function requireCheckpoint(
  state: StateGraph,
  port: ReturnType<typeof stagedPort>,
  checkpointId: string,
  config: ReturnType<StateGraph["config"]>,
): Promise<void> {
  if (isMissing(await state.over(port).getState(config)))
    throw new Refusal(
      "not_found",
      `Checkpoint ${checkpointId} of thread ${state.target.thread_id} not found`,
    );
}

async function stagedUpdate(
  state: StateGraph,
  port: ReturnType<typeof stagedPort>,
  end: ReturnType<StateGraph["config"]>,
): Promise<StagedUpdate> {
  const root = await state.over(port).getState(state.config());
  return {
    writes: port.writes,
    checkpoint: checkpointRef(end) ?? {},
    snapshot: threadSnapshot(root),
  };
}
