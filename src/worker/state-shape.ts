import type { RunnableConfig } from "@langchain/core/runnables";
import type { StateSnapshot } from "@langchain/langgraph";
import { isObject, type Json, type JsonObject } from "../lib/json.ts";
import type {
  CheckpointRef,
  ThreadState,
  ThreadTask,
} from "../model/thread-state.ts";
import type { Interrupt, ThreadSnapshot } from "../model/thread.ts";
import { toWire } from "./wire-json.ts";

/** What LangGraph answers for a checkpoint that does not exist has no time. */
export const isMissing = (state: StateSnapshot): boolean =>
  state.createdAt === undefined;

/** A graph whose whole state is one channel may have null for it. */
const wireOrNull = (value: unknown): Json =>
  value === null || value === undefined ? null : toWire(value);

/** A state as clients see it. */
export function threadState(state: StateSnapshot): ThreadState {
  const tasks = state.tasks.map((task) => threadTask(task, state));
  return {
    values: wireOrNull(state.values),
    next: state.next,
    tasks,
    metadata:
      state.metadata === undefined ? null : shownMetadata(state.metadata),
    created_at: state.createdAt ?? null,
    checkpoint: checkpointRef(state.config),
    parent_checkpoint: checkpointRef(state.parentConfig),
    interrupts: tasks.flatMap((task) => task.interrupts),
  };
}

/** How a thread stands, by the newest state of its root graph. */
export function threadSnapshot(state: StateSnapshot): ThreadSnapshot {
  const waiting = state.tasks
    .map((task) => [task.id, interruptsOf(task, state)] as const)
    .filter(([, interrupts]) => interrupts.length > 0);
  return {
    values: isMissing(state) ? null : wireOrNull(state.values),
    next: state.next,
    interrupts: Object.fromEntries(waiting),
  };
}

/** Null when the config is not of a thread. Of `configurable` only what names the checkpoint: the rest is ours or LangGraph's. */
export function checkpointRef(
  config: RunnableConfig | undefined,
): CheckpointRef | null {
  const configurable = config?.configurable;
  if (typeof configurable?.thread_id !== "string") return null;
  const { thread_id, checkpoint_ns, checkpoint_id, checkpoint_map } =
    configurable;
  return {
    thread_id,
    checkpoint_ns: checkpoint_ns ?? "",
    ...(checkpoint_id === undefined ? {} : { checkpoint_id }),
    checkpoint_map: checkpoint_map ?? null,
  };
}

type Task = StateSnapshot["tasks"][number];

function threadTask(task: Task, state: StateSnapshot): ThreadTask {
  const nested = task.state === undefined ? null : task.state;
  const isState = nested !== null && "values" in nested;
  return {
    id: task.id,
    name: task.name,
    path: toWire(task.path ?? []) as Json[],
    error: errorText(task.error),
    interrupts: interruptsOf(task, state),
    checkpoint:
      nested === null || isState ? null : subgraphRef(nested as RunnableConfig),
    state: isState ? threadState(nested as StateSnapshot) : null,
    result: wireOrNull(task.result),
  };
}

/** Where the state of a subgraph is found: its namespace alone, which means the newest. */
function subgraphRef({ configurable }: RunnableConfig): CheckpointRef {
  return {
    checkpoint_ns: configurable?.checkpoint_ns as string,
    thread_id: configurable?.thread_id as string,
  };
}

/** A task that has been answered keeps its questions until all tasks of its step have ended; they wait for nobody. */
function interruptsOf(task: Task, { next }: StateSnapshot): Interrupt[] {
  const waits = task.result === undefined && next.includes(task.name);
  return waits ? task.interrupts.map((one) => toWire(one) as Interrupt) : [];
}

/** LangGraph keeps an error as whatever was thrown, or as `{name, message}` once it was stored. */
function errorText(error: unknown): string | null {
  if (error === undefined || error === null) return null;
  if (typeof error === "string") return error;
  if (isObject(error) && typeof error.message === "string")
    return error.message;
  return JSON.stringify(toWire(error));
}

/** Without what is the server's own business: who asked, and in which request. */
function shownMetadata(metadata: object): JsonObject {
  const shown = Object.entries(toWire(metadata) as JsonObject).filter(
    ([key, value]) =>
      !key.startsWith("langgraph_auth_") &&
      key !== "langgraph_request_id" &&
      !(key === "checkpoint_ns" && value === ""),
  );
  return Object.fromEntries(shown);
}
