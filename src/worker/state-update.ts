import type { RunnableConfig } from "@langchain/core/runnables";
import { PeerClosedError, PeerError } from "../protocol/peer.ts";
import type { StateUpdate } from "../protocol/state-frames.ts";
import type { CheckpointPort } from "./checkpointer.ts";
import { toCommand } from "./command.ts";
import { requireDestinations, requireNode } from "./known-nodes.ts";
import { Refusal } from "./refusal.ts";
import { stagedPort } from "./staged-checkpoints.ts";
import type { StateGraph } from "./state-graph.ts";

interface Start {
  port: CheckpointPort;
  start: RunnableConfig;
}

/** Returns the config of the checkpoint that the update made. Throws a Refusal that names the field. */
export async function applyUpdate(
  graph: StateGraph,
  { port, start, update }: Start & { update: StateUpdate },
): Promise<RunnableConfig> {
  try {
    return await superstep(graph.over(port), start, [update]);
  } catch (cause) {
    throw refused(cause, { field: "values" });
  }
}

/** Each superstep makes a checkpoint on top of the one before. Returns the config of the last one. */
export async function applySupersteps(
  graph: StateGraph,
  params: Start & { supersteps: { updates: StateUpdate[] }[] },
): Promise<RunnableConfig> {
  const { port, supersteps } = params;
  const compiled = graph.over(port);
  let config = params.start;
  for (const [index, { updates }] of supersteps.entries()) {
    try {
      config = await superstep(compiled, config, updates);
    } catch (cause) {
      const culprit = await findCulprit(
        graph,
        { port, start: config },
        updates,
      );
      const list = `supersteps[${index}].updates`;
      throw culprit === null
        ? refused(cause, { place: list })
        : refused(cause, {
            place: `${list}[${culprit}]`,
            field: updates[culprit]?.command ? "command" : "values",
          });
    }
  }
  return config;
}

const superstep = async (
  graph: ReturnType<StateGraph["over"]>,
  config: RunnableConfig,
  updates: readonly StateUpdate[],
): Promise<RunnableConfig> => {
  for (const { as_node, command } of updates) {
    if (as_node !== undefined) requireNode(graph, as_node);
    if (command) requireDestinations(graph, toCommand(command));
  }
  return graph.bulkUpdateState(config, [
    { updates: updates.map(langGraphUpdate) },
  ]);
};

const langGraphUpdate = ({ values, command, as_node }: StateUpdate) => ({
  values: command ? toCommand(command) : values,
  ...(as_node === undefined ? {} : { asNode: as_node }),
});

/**
 * LangGraph does not say which of the updates of a superstep it refuses, so
 * each is tried alone. Null when it is their combination that fails.
 */
async function findCulprit(
  graph: StateGraph,
  { port, start }: Start,
  updates: readonly StateUpdate[],
): Promise<number | null> {
  if (updates.length === 1) return 0;
  for (const [index, update] of updates.entries()) {
    try {
      await superstep(graph.over(stagedPort(port)), start, [update]);
    } catch {
      return index;
    }
  }
  return null;
}

/** LangGraph quotes what it was given, however long that is. */
const MAX_REASON = 1000;

/**
 * Whatever LangGraph, a reducer or a branch throws while it applies an update
 * says that the update does not fit the graph. Only a broken pipe is ours.
 */
function refused(
  cause: unknown,
  { place, field }: { place?: string; field?: string },
): unknown {
  if (cause instanceof PeerError || cause instanceof PeerClosedError)
    return cause;
  const { reason, at = field } = located(reasonOf(cause));
  const path = [place, field && at].filter(Boolean).join(".");
  return new Refusal(
    "invalid",
    `${path}: ${reason.slice(0, MAX_REASON)}`,
    cause,
  );
}

/** LangGraph's message in the words of the API, without the link that it ends with. */
function reasonOf(cause: unknown): string {
  const message = cause instanceof Error ? cause.message : String(cause);
  return message
    .replace(/\s*Troubleshooting URL: \S+\s*$/, "")
    .replaceAll("asNode", "as_node")
    .trim();
}

/** The field that the reason is about, when it is not the values. */
function located(reason: string): { reason: string; at?: string } {
  const command = /^(command\.\w+): (.*)$/s.exec(reason);
  if (command !== null) return { at: command[1]!, reason: command[2]! };
  if (/^Node ".*" does not exist|^No writers found|as_node/s.test(reason))
    return { at: "as_node", reason };
  if (/^Subgraph ".*" not found/s.test(reason))
    return { at: "checkpoint.checkpoint_ns", reason };
  return { reason };
}
