import { compareWritesSortKeys } from "@langchain/langgraph-checkpoint";
import type {
  CheckpointQuery,
  CheckpointRecord,
  CheckpointRequests,
  CheckpointWrite,
  PendingWriteRecord,
  StoredValue,
} from "../protocol/checkpoint-frames.ts";

type Answer = CheckpointRequests["checkpoint.read"]["result"];

interface Latest {
  record: CheckpointRecord;
  writes: readonly PendingWriteRecord[];
  /** What the record refers to. */
  values: readonly StoredValue[];
}

/**
 * The newest checkpoint of each namespace of the thread, as the run that alone
 * may write there knows it: LangGraph asks for it at the start and at the end
 * of a run, and neither question has to go to the server.
 */
export class LatestCheckpoint {
  readonly #threadId: string;
  readonly #latest = new Map<string, Latest>();
  /** By namespace: with durability `exit` LangGraph stores what its tasks have left before the checkpoint that it belongs to. */
  readonly #early = new Map<string, CheckpointWrite & { kind: "writes" }>();
  /** The server has said that the root has no checkpoint yet. */
  #isNew = false;

  /** `head`: what the server had of the root graph when the run was claimed; null when it did not say. */
  constructor(threadId: string, head: Answer | null) {
    this.#threadId = threadId;
    const [newest] = head?.checkpoints ?? [];
    if (newest !== undefined)
      this.#latest.set("", { ...newest, values: head?.values ?? [] });
    this.#isNew = head !== null && newest === undefined;
  }

  /** Null: ask the server. `known`: hashes of values that need not come along; those of pages are never among them. */
  answer(query: CheckpointQuery & { known?: string[] }): Answer | null {
    const { thread_id, checkpoint_ns, checkpoint_id, limit } = query;
    if (thread_id !== this.#threadId || checkpoint_ns === undefined)
      return null;
    if (limit !== 1 || query.before !== undefined || query.filter !== undefined)
      return null;
    const latest = this.#latest.get(checkpoint_ns);
    if (latest === undefined)
      return checkpoint_ns === "" && this.#isNew && checkpoint_id === undefined
        ? { checkpoints: [], values: [] }
        : null;
    const { record, writes, values } = latest;
    if (checkpoint_id !== undefined && checkpoint_id !== record.checkpoint_id)
      return null;
    const known = new Set(query.known);
    const missing = values.filter(({ hash }) => !known.has(hash));
    if (!isWhole(record, known, missing)) return null;
    // LangGraph goes on with what it gets, and must not change what is kept here.
    const own = { ...record, checkpoint: structuredClone(record.checkpoint) };
    return {
      checkpoints: [{ record: own, writes: [...writes] }],
      values: missing,
    };
  }

  /** What LangGraph stores, in its order. */
  add(write: CheckpointWrite): void {
    if (write.kind === "put") return this.#put(write);
    if (write.thread_id !== this.#threadId) return;
    const latest = this.#latest.get(write.checkpoint_ns);
    if (latest?.record.checkpoint_id === write.checkpoint_id)
      latest.writes = mergedWrites(latest.writes, write.writes);
    else this.#keepEarly(write);
  }

  #keepEarly(write: CheckpointWrite & { kind: "writes" }): void {
    const early = this.#earlyWrites(write);
    const writes = mergedWrites(early, write.writes);
    this.#early.set(write.checkpoint_ns, { ...write, writes });
  }

  #earlyWrites(of: {
    checkpoint_ns: string;
    checkpoint_id: string;
  }): readonly PendingWriteRecord[] {
    const early = this.#early.get(of.checkpoint_ns);
    return early?.checkpoint_id === of.checkpoint_id ? early.writes : [];
  }

  /** The server's word, again, for everything. */
  forget(): void {
    this.#latest.clear();
    this.#early.clear();
    this.#isNew = false;
  }

  #put({ record, values }: CheckpointWrite & { kind: "put" }): void {
    if (record.thread_id !== this.#threadId) return;
    const { checkpoint_ns, checkpoint_id } = record;
    const before = this.#latest.get(checkpoint_ns);
    // A fork may be older than what is there; then only the server can tell which is the newest.
    if (before !== undefined && before.record.checkpoint_id > checkpoint_id)
      return void this.#latest.delete(checkpoint_ns);
    const wanted = new Set(
      Object.values(record.channels).flatMap((ref) =>
        "hash" in ref ? [ref.hash] : [],
      ),
    );
    const candidates = [...(before?.values ?? []), ...values];
    this.#latest.set(checkpoint_ns, {
      record,
      writes: this.#earlyWrites(record),
      values: candidates.filter(({ hash }) => wanted.has(hash)),
    });
  }
}

/** Of lists in pages only the head that the server sent is whole here: what a page holds is not looked into. */
function isWhole(
  { channels }: CheckpointRecord,
  known: ReadonlySet<string>,
  values: readonly StoredValue[],
): boolean {
  const here = new Set(values.map(({ hash }) => hash));
  return Object.values(channels).every((ref) => {
    if ("hash" in ref) return known.has(ref.hash) || here.has(ref.hash);
    return !("pages" in ref) || ref.pages.every((page) => here.has(page));
  });
}

/** As storage does it: a write stays as it was first made, but those with a negative index are replaced. */
export function mergedWrites(
  stored: readonly PendingWriteRecord[],
  added: readonly PendingWriteRecord[],
): PendingWriteRecord[] {
  const byKey = new Map(stored.map((write) => [writeKey(write), write]));
  for (const write of added)
    if (write.idx < 0 || !byKey.has(writeKey(write)))
      byKey.set(writeKey(write), write);
  return [...byKey.values()].sort((a, b) =>
    compareWritesSortKeys(
      [a.task_path, a.task_id, a.idx],
      [b.task_path, b.task_id, b.idx],
    ),
  );
}

const writeKey = (write: PendingWriteRecord): string =>
  JSON.stringify([write.task_id, write.idx]);
