/*
 * What `spool export` takes along. A unit is a row with all that makes no
 * sense without it; it is exported in one piece and imported in one piece. Units
 * and parts come in an order in which every reference points backwards, and the
 * runs of a thread come last: whoever sees a run sees what it needs.
 */

/** A table that is moved. */
export interface MovedTable {
  name: string;
  /** Its primary key. */
  key: readonly string[];
  /** The order in which it is read: unique, and the unit's id first. The key when absent. */
  order?: readonly string[];
}

export interface Unit {
  /** What people call one of them. */
  noun: string;
  head: MovedTable;
  /** Each with the key of the head among its columns. */
  parts: readonly MovedTable[];
}

const ofThread = (name: string, ...rest: string[]): MovedTable => ({
  name,
  key: ["thread_id", ...rest],
});

const WRITE_KEY = ["checkpoint_ns", "checkpoint_id", "task_id", "idx"];

export const UNITS: readonly Unit[] = [
  {
    noun: "assistant",
    head: { name: "assistants", key: ["assistant_id"] },
    parts: [{ name: "assistant_versions", key: ["assistant_id", "version"] }],
  },
  {
    noun: "thread",
    head: { name: "threads", key: ["thread_id"] },
    parts: [
      ofThread("thread_value_pages", "channel_no", "page_no"),
      ofThread("checkpoint_values", "hash"),
      ofThread("checkpoints", "checkpoint_ns", "checkpoint_id"),
      ofThread("checkpoint_writes", ...WRITE_KEY),
      ofThread("replaced_writes", ...WRITE_KEY),
      ofThread("event_segments", "first_seq"),
      { name: "runs", key: ["run_id"], order: ["thread_id", "seq"] },
    ],
  },
  {
    noun: "store item",
    head: { name: "store_items", key: ["namespace", "key"] },
    parts: [],
  },
  {
    noun: "cron",
    head: { name: "crons", key: ["cron_id"] },
    parts: [{ name: "cron_ticks", key: ["cron_id", "scheduled_at"] }],
  },
  {
    noun: "webhook delivery",
    head: { name: "webhook_deliveries", key: ["delivery_id"] },
    parts: [],
  },
];

/** Tables that stay behind, and why. */
export const LEFT_OUT: Readonly<Record<string, string>> = {
  migrations: "each database has its own",
  imports: "what came into this database, not what is in it",
  duties: "leases of server processes",
  instances: "server processes; their runs go back to the queue",
  thread_metadata: "kept by triggers on threads",
  thread_metadata_entries: "kept by triggers on threads",
  store_vectors: "made anew, from the items",
  thread_status_totals: "kept by triggers on threads",
};
