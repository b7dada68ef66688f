import type { JsonObject } from "../lib/json.ts";
import type { Fence } from "../model/run.ts";
import type { Method } from "./method.ts";

/** A value by its content, stored once per thread. A `page` holds consecutive list elements: see lib/ref-page.ts. */
export interface StoredValue {
  hash: string;
  type: "json" | "bytes" | "page";
  data: Uint8Array;
}

/**
 * Where the value of a channel is: in the checkpoint row when it is small,
 * else by hash; a list by the hashes of its pages. `snapshot` marks the list
 * inside a `DeltaSnapshot` of LangGraph.
 */
export type ValueRef =
  | { json: string }
  | { hash: string }
  | { pages: string[]; length: number; snapshot?: true };

/** A checkpoint without its values. */
export interface CheckpointRecord {
  thread_id: string;
  checkpoint_ns: string;
  checkpoint_id: string;
  parent_checkpoint_id: string | null;
  checkpoint: JsonObject;
  metadata: JsonObject;
  channels: Record<string, ValueRef>;
}

export interface PendingWriteRecord {
  task_id: string;
  idx: number;
  task_path: string;
  channel: string;
  type: string;
  data: Uint8Array;
}

/** One `put` or `putWrites` of LangGraph, as data. */
export type CheckpointWrite =
  | { kind: "put"; record: CheckpointRecord; values: StoredValue[] }
  | {
      kind: "writes";
      thread_id: string;
      checkpoint_ns: string;
      checkpoint_id: string;
      writes: PendingWriteRecord[];
    };

/** A checkpoint with all that is needed to rebuild it. */
export interface StoredCheckpoint {
  record: CheckpointRecord;
  /** Ordered as `compareWritesSortKeys` of LangGraph has it. */
  writes: PendingWriteRecord[];
}

export interface CheckpointQuery {
  /** Absent: every thread (list only). */
  thread_id?: string;
  /** Absent: every namespace (list only). */
  checkpoint_ns?: string;
  checkpoint_id?: string;
  /** Checkpoint ids strictly smaller. */
  before?: string;
  /** The metadata must contain it. */
  filter?: JsonObject;
  limit?: number;
}

export type CheckpointRequests = {
  /**
   * Newest first, at least one if there is any, perhaps fewer than `limit`.
   * `values` holds what the records refer to, but for the hashes in `known`;
   * those are never of pages.
   */
  "checkpoint.read": Method<
    CheckpointQuery & { known?: string[] },
    { checkpoints: StoredCheckpoint[]; values: StoredValue[] }
  >;
  /**
   * All of the writes or none. "lost": the fence does not hold any more, stop
   * the graph. "incomplete": a value that a record refers to is not stored, send
   * all of them. Nothing was stored in either case. With `durable` the answer waits for the disk, as
   * the run's durability `sync` asks.
   */
  "checkpoint.write": Method<
    { fence: Fence; writes: readonly CheckpointWrite[]; durable: boolean },
    "stored" | "lost" | "incomplete"
  >;
  /** Per channel: writes from the ancestors, oldest first, and the nearest stored value. */
  "checkpoint.deltaHistory": Method<
    {
      thread_id: string;
      checkpoint_ns: string;
      checkpoint_id?: string;
      channels: string[];
    },
    {
      channels: Record<
        string,
        { seed: ValueRef | null; writes: PendingWriteRecord[] }
      >;
      values: StoredValue[];
    }
  >;
  "checkpoint.deleteThread": Method<
    { fence: Fence; thread_id: string },
    "deleted" | "lost"
  >;
};
