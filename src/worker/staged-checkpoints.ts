import { jsonContains, type JsonObject } from "../lib/json.ts";
import { pageHashes } from "../lib/ref-page.ts";
import type {
  CheckpointQuery,
  CheckpointRecord,
  CheckpointWrite,
  PendingWriteRecord,
  StoredCheckpoint,
  StoredValue,
} from "../protocol/checkpoint-frames.ts";
import type { CheckpointPort } from "./checkpointer.ts";
import { mergedWrites } from "./latest-checkpoint.ts";
import { stagedDeltaHistory } from "./staged-delta-history.ts";

/** What of LangGraph's writes is not stored yet, and everything that is. */
export interface StagedPort extends CheckpointPort {
  /** In the order in which LangGraph made them. */
  readonly writes: CheckpointWrite[];
}

/**
 * Keeps writes in memory and answers reads as if they were stored, laid over
 * `base` (null: over nothing). One serves one request: it remembers every
 * value that went through it. `metadata` is added to that of each checkpoint.
 */
export function stagedPort(
  base: CheckpointPort | null,
  metadata: JsonObject = {},
): StagedPort {
  const staged = new StagedWrites();
  const values = new Map<string, StoredValue>();
  const remember = (seen: readonly StoredValue[]) => {
    for (const value of seen) values.set(value.hash, value);
  };

  const read: CheckpointPort["read"] = async (query) => {
    const below = base === null ? NOTHING : await base.read(query);
    remember(below.values);
    const checkpoints = staged.laidOver(below.checkpoints, query);
    const known = new Set(query.known);
    return { checkpoints, values: valuesOf(checkpoints, values, known) };
  };

  return {
    writes: staged.all,
    read,
    write: async (write) => {
      if (write.kind === "put") remember(write.values);
      staged.add(withMetadata(write, metadata));
    },
    deltaHistory: (query) => stagedDeltaHistory({ base, read, staged }, query),
    deleteThread: async () => {
      throw new Error("an update of a thread's state cannot delete the thread");
    },
  };
}

/** What the checkpoint says of itself goes first. */
export const withMetadata = (
  write: CheckpointWrite,
  metadata: JsonObject,
): CheckpointWrite =>
  write.kind === "writes"
    ? write
    : {
        ...write,
        record: {
          ...write.record,
          metadata: { ...metadata, ...write.record.metadata },
        },
      };

const NOTHING = { checkpoints: [], values: [] };

/** Staged writes by what they are about. */
export class StagedWrites {
  readonly all: CheckpointWrite[] = [];
  readonly #records = new Map<string, CheckpointRecord>();
  readonly #pending = new Map<string, PendingWriteRecord[]>();

  add(write: CheckpointWrite): void {
    this.all.push(write);
    if (write.kind === "put") {
      this.#records.set(keyOf(write.record), write.record);
      return;
    }
    const key = keyOf(write);
    this.#pending.set(
      key,
      mergedWrites(this.#pending.get(key) ?? [], write.writes),
    );
  }

  /** Whether pending writes are staged for a checkpoint that is stored already. */
  get touchesBase(): boolean {
    return [...this.#pending.keys()].some((key) => !this.#records.has(key));
  }

  /** What `query` finds here and in `below`, newest first. */
  laidOver(
    below: readonly StoredCheckpoint[],
    query: CheckpointQuery,
  ): StoredCheckpoint[] {
    // What is stored comes in parts; what is staged and older comes with a later part.
    const oldest = below.at(-1)?.record.checkpoint_id ?? "";
    const mine = [...this.#records.values()]
      .filter(
        (record) => matches(record, query) && record.checkpoint_id >= oldest,
      )
      .map((record) => ({ record, writes: [] }));
    const theirs = below.filter(
      ({ record }) => !this.#records.has(keyOf(record)),
    );
    return [...mine, ...theirs]
      .map((checkpoint) => this.#withPending(checkpoint))
      .sort(newestFirst)
      .slice(0, query.limit);
  }

  #withPending(checkpoint: StoredCheckpoint): StoredCheckpoint {
    const pending = this.#pending.get(keyOf(checkpoint.record));
    return pending === undefined
      ? checkpoint
      : { ...checkpoint, writes: mergedWrites(checkpoint.writes, pending) };
  }
}

function matches(record: CheckpointRecord, query: CheckpointQuery): boolean {
  return (
    (query.thread_id ?? record.thread_id) === record.thread_id &&
    (query.checkpoint_ns ?? record.checkpoint_ns) === record.checkpoint_ns &&
    (query.checkpoint_id ?? record.checkpoint_id) === record.checkpoint_id &&
    (query.before === undefined || record.checkpoint_id < query.before) &&
    (query.filter === undefined || jsonContains(record.metadata, query.filter))
  );
}

/** The values that the checkpoints refer to, each once. */
function valuesOf(
  checkpoints: readonly StoredCheckpoint[],
  values: ReadonlyMap<string, StoredValue>,
  known: ReadonlySet<string>,
): StoredValue[] {
  const found = new Map<string, StoredValue>();
  const collect = (hash: string) => {
    const value = values.get(hash);
    if (value === undefined || known.has(hash) || found.has(hash)) return;
    found.set(hash, value);
    if (value.type === "page") pageHashes(value.data).forEach(collect);
  };
  for (const { record } of checkpoints)
    for (const ref of Object.values(record.channels)) {
      if ("hash" in ref) collect(ref.hash);
      else if ("pages" in ref) ref.pages.forEach(collect);
    }
  return [...found.values()];
}

const keyOf = (at: {
  thread_id: string;
  checkpoint_ns: string;
  checkpoint_id: string;
}): string =>
  JSON.stringify([at.thread_id, at.checkpoint_ns, at.checkpoint_id]);

/** Ids are UUIDs of version 6: their order is that of their making. */
const newestFirst = (a: StoredCheckpoint, b: StoredCheckpoint): number =>
  a.record.checkpoint_id < b.record.checkpoint_id ? 1 : -1;
