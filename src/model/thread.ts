import type { Json, JsonObject } from "../lib/json.ts";

export const THREAD_STATUSES = [
  "idle",
  "busy",
  "interrupted",
  "error",
] as const;
export type ThreadStatus = (typeof THREAD_STATUSES)[number];

export const TTL_STRATEGIES = ["delete", "keep_latest"] as const;
export type TtlStrategy = (typeof TTL_STRATEGIES)[number];

/** `{id, value}` and, when LangGraph gives more, more. */
export type Interrupt = JsonObject;

/** Task id -> the interrupts of that task that wait for an answer. Tasks without any are left out. */
export type Interrupts = Record<string, Interrupt[]>;

/** A thread as the API shows it. */
export interface Thread {
  thread_id: string;
  created_at: string;
  updated_at: string;
  state_updated_at: string;
  metadata: JsonObject;
  config: JsonObject;
  status: ThreadStatus;
  /** The last state of the root graph; null before there is one. */
  values: Json;
  interrupts: Interrupts;
  /** Why the last run failed; null unless `status` is `error`. */
  error: Json;
}

/** What happens to a thread that has not changed for a while. */
export interface TtlRule {
  strategy: TtlStrategy;
  ttl_minutes: number;
}

export interface ThreadTtl extends TtlRule {
  /** Null: what was to be done is done, until the thread changes again. */
  expires_at: string | null;
}

/** How often expired threads are looked for, and how many are dealt with then. */
export interface ThreadSweep {
  every_minutes: number;
  limit: number;
}

export const THREAD_SWEEP: ThreadSweep = { every_minutes: 5, limit: 1000 };

/** How a thread stands after something moved its state: what a run, an update or supersteps leave behind. */
export interface ThreadSnapshot {
  /** Null when the thread has no checkpoint yet. */
  values: Json;
  /** The nodes that would run next; empty when the graph has finished. */
  next: string[];
  interrupts: Interrupts;
}

/** The status that a snapshot means when nothing else is going on. */
export const statusOf = (
  snapshot: ThreadSnapshot,
): Exclude<ThreadStatus, "busy" | "error"> =>
  snapshot.next.length > 0 ? "interrupted" : "idle";
