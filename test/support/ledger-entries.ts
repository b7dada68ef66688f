import type { JsonObject } from "../../src/lib/json.ts";

/** What a client of the crash tests asks for. Threads, runs and entries have names of the client's own choosing. */
export type Operation =
  /** With supersteps when `log` has entries: one each. */
  | { kind: "create"; thread: string; metadata: JsonObject; log: string[] }
  | { kind: "update"; thread: string; entry: string }
  | { kind: "patch"; thread: string; metadata: JsonObject }
  | { kind: "copy"; thread: string }
  | { kind: "delete"; thread: string }
  | ({ kind: "run"; thread: string } & RunOperation)
  | { kind: "put"; key: string; value: JsonObject }
  | { kind: "remove"; key: string };

export interface RunOperation {
  mode: "background" | "wait" | "stream";
  durability: "sync" | "async" | "exit";
  /** What its input and then its steps add to the log of the thread: `<op>/0`, `<op>/1` … */
  entries: string[];
  /** Where its steps note that they start. */
  notes: string;
}

/**
 * A line of the ledger. An operation that was asked and has no other line was
 * never answered: it may have happened or not, and `found` says which it was.
 */
export type LedgerEntry = { op: string; client: string } & (
  | { says: "asked"; operation: Operation }
  /** Acknowledged. `thread` is the copy that was made, `run_id` the run that was accepted. */
  | { says: "done"; thread?: string; run_id?: string }
  /** To be tried again: nothing of it may have happened. */
  | { says: "refused" }
  /** The run that `op` started has ended, as its client was told. */
  | { says: "finished" }
  /** Looked up after a restart. */
  | { says: "found"; happened: boolean; thread?: string; run_id?: string }
  /** Read from a thread of whose log only the bounds were known. */
  | { says: "settled"; thread: string; log: string[] }
);
