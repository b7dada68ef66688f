import type { RunnableConfig } from "@langchain/core/runnables";
import { isObject } from "../lib/json.ts";
import { checkpointRef } from "./state-shape.ts";

/*
 * LangGraph's debug payloads as the API has them: configs without what is
 * internal, checkpoints in the form of the thread state, snake_case keys.
 */

type Payload = Record<string, unknown>;

/** `{type, timestamp, step, payload}` */
export function debugFrame(frame: unknown): unknown {
  if (!isObject(frame)) return frame;
  const { type, payload } = frame;
  if (type === "checkpoint")
    return { ...frame, payload: checkpointFrame(payload) };
  if (type === "task_result")
    return { ...frame, payload: withErrorText(payload) };
  return frame;
}

export function checkpointFrame(payload: unknown): unknown {
  if (!isObject(payload)) return payload;
  const { parentConfig, config, tasks, ...rest } = payload as Payload & {
    config?: RunnableConfig;
    parentConfig?: RunnableConfig;
    tasks?: Payload[];
  };
  return {
    ...rest,
    config: publicConfig(config),
    parent_config: publicConfig(parentConfig),
    tasks: (tasks ?? []).map(taskWithCheckpoint),
    checkpoint: checkpointRef(config),
    parent_checkpoint: checkpointRef(parentConfig),
  };
}

/** The start of a task has its `input`; the end has its `result` or its `error`. */
export function taskFrame(payload: unknown): unknown {
  if (!isObject(payload) || !("result" in payload)) return payload;
  const { error, result, ...rest } = withErrorText(payload) as Payload;
  return error === null ? { ...rest, result } : { ...rest, error };
}

function withErrorText(payload: unknown): unknown {
  if (!isObject(payload)) return payload;
  const { error } = payload;
  const text = isObject(error) && "message" in error ? error["message"] : error;
  return { ...payload, error: text ?? null };
}

/** The state of a subgraph that has not been read is only where to find it. */
function taskWithCheckpoint({ state, ...task }: Payload): Payload {
  if (!isObject(state)) return task;
  const { configurable } = state;
  return configurable === undefined || "values" in state
    ? { ...task, state }
    : { ...task, checkpoint: configurable };
}

function publicConfig(config: RunnableConfig | undefined): unknown {
  if (config === undefined) return null;
  const { callbacks: _callbacks, configurable, ...rest } = config;
  const shown = Object.entries(configurable ?? {}).filter(
    ([key]) =>
      !key.startsWith("__") &&
      key !== "callbacks" &&
      !key.startsWith("langgraph_auth_"),
  );
  return { ...rest, configurable: Object.fromEntries(shown) };
}
