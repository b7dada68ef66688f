import type { Json, JsonObject } from "../lib/json.ts";

export const RUN_STATUSES = [
  "pending",
  "running",
  "error",
  "success",
  "timeout",
  "interrupted",
] as const;
export type RunStatus = (typeof RUN_STATUSES)[number];

export const MULTITASK_STRATEGIES = [
  "reject",
  "rollback",
  "interrupt",
  "enqueue",
] as const;
export type MultitaskStrategy = (typeof MULTITASK_STRATEGIES)[number];

export const STREAM_MODES = [
  "values",
  "updates",
  "messages",
  "messages-tuple",
  "custom",
  "events",
  "debug",
  "tasks",
  "checkpoints",
  "tools",
  "lifecycle",
] as const;
export type StreamMode = (typeof STREAM_MODES)[number];

export const DURABILITIES = ["sync", "async", "exit"] as const;
export type Durability = (typeof DURABILITIES)[number];

export const CANCEL_ACTIONS = ["interrupt", "rollback"] as const;
export type CancelAction = (typeof CANCEL_ACTIONS)[number];

/** What a client asked for, as stored with the run. Clients only display it; the worker executes it. */
export interface RunKwargs {
  input: Json;
  command: JsonObject | null;
  /** Assistant config, overlaid by the request's; `configurable` holds the ids and the checkpoint to start from. */
  config: JsonObject;
  context: Json;
  stream_mode: StreamMode[];
  subgraphs: boolean;
  resumable: boolean;
  interrupt_before: "*" | string[] | null;
  interrupt_after: "*" | string[] | null;
  durability: Durability;
  strict_resume: boolean;
  /** A stateless run whose thread goes when it ends. */
  temporary: boolean;
  webhook: string | null;
  feedback_keys: string[] | null;
  /** Of a run that was started by the streaming protocol, whose events it produces; runs of earlier versions have none. */
  protocol: ProtocolRun | null;
}

export type ProtocolRun = {
  /** The interrupts that the run answers. */
  answers: string[];
};

/** A run as the API shows it. */
export interface Run {
  run_id: string;
  thread_id: string;
  assistant_id: string;
  created_at: string;
  updated_at: string;
  status: RunStatus;
  metadata: JsonObject;
  kwargs: RunKwargs;
  multitask_strategy: MultitaskStrategy;
  cancel_reason: string | null;
  langsmith_session_name: null;
}

/** One attempt at a run. Every write on its behalf repeats it, and storage refuses one that has lost its lease. */
export interface Fence {
  run_id: string;
  /** Counts from 1, and grows with each claim. */
  attempt: number;
}

/** How a failure is told to clients, in `error` frames and in `__error__` of a wait. */
export type RunError = {
  /** The class of the exception, e.g. `GraphRecursionError`. */
  error: string;
  message: string;
};

/** Answers that no interrupt waits for, of a run with `strict_resume`. */
export type RefusedResume = {
  reason: string;
  interrupt_ids: string[];
  /** What does wait for an answer. */
  pending_ids: string[];
};

export const isTerminal = (status: RunStatus): boolean =>
  status !== "pending" && status !== "running";
