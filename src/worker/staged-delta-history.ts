import type {
  PendingWriteRecord,
  StoredCheckpoint,
  StoredValue,
  ValueRef,
} from "../protocol/checkpoint-frames.ts";
import type { CheckpointPort } from "./checkpointer.ts";

type Query = Parameters<CheckpointPort["deltaHistory"]>[0];
type History = Awaited<ReturnType<CheckpointPort["deltaHistory"]>>;

interface Layers {
  base: CheckpointPort | null;
  /** Reads through both layers. */
  read: CheckpointPort["read"];
  staged: { readonly touchesBase: boolean };
}

/**
 * The history of delta channels over staged and stored ancestors: the staged
 * part is walked here, one ancestor at a time, the stored rest is one question
 * to the base.
 */
export async function stagedDeltaHistory(
  layers: Layers,
  query: Query,
): Promise<History> {
  const { base, staged } = layers;
  const walk = new Walk(query.channels);
  let at = await readOne(layers, query, query.checkpoint_id);
  while (at !== null && walk.isOpen) {
    const parentId = at.record.parent_checkpoint_id;
    if (base !== null && !staged.touchesBase && (await isStored(base, at))) {
      walk.finish(await base.deltaHistory(walk.rest(query, at)));
      break;
    }
    at = parentId === null ? null : await readOne(layers, query, parentId);
    if (at !== null) walk.visit(at);
  }
  return walk.result(await valuesOf(layers, query, walk));
}

/** What has been found on the way from the newest ancestor to the oldest. */
class Walk {
  readonly #open: Set<string>;
  readonly #channels: Record<
    string,
    { seed: ValueRef | null; writes: PendingWriteRecord[] }
  > = {};
  #values: StoredValue[] = [];
  /** Checkpoints that hold a seed. */
  readonly seededBy = new Set<string>();

  constructor(channels: readonly string[]) {
    this.#open = new Set(channels);
    for (const channel of channels)
      this.#channels[channel] = { seed: null, writes: [] };
  }

  get isOpen(): boolean {
    return this.#open.size > 0;
  }

  /** The writes of an ancestor count even when it also holds the value they were made to. */
  visit({ record, writes }: StoredCheckpoint): void {
    for (const channel of this.#open) {
      const found = this.#found(channel);
      found.writes.unshift(
        ...writes.filter((write) => write.channel === channel),
      );
      const seed = record.channels[channel];
      if (seed === undefined) continue;
      found.seed = seed;
      this.seededBy.add(record.checkpoint_id);
      this.#open.delete(channel);
    }
  }

  /** The same question about `at`, for the channels whose value is still to be found. */
  rest(query: Query, at: StoredCheckpoint): Query {
    return {
      ...query,
      checkpoint_id: at.record.checkpoint_id,
      channels: [...this.#open],
    };
  }

  finish(older: History): void {
    for (const channel of this.#open) {
      const found = this.#found(channel);
      const before = older.channels[channel];
      found.writes.unshift(...(before?.writes ?? []));
      found.seed = before?.seed ?? null;
    }
    this.#values = older.values;
    this.#open.clear();
  }

  result(values: readonly StoredValue[]): History {
    const byHash = new Map(
      [...this.#values, ...values].map((value) => [value.hash, value]),
    );
    return { channels: this.#channels, values: [...byHash.values()] };
  }

  #found(channel: string): {
    seed: ValueRef | null;
    writes: PendingWriteRecord[];
  } {
    return (this.#channels[channel] ??= { seed: null, writes: [] });
  }
}

async function readOne(
  layers: Layers,
  query: Query,
  checkpointId: string | undefined,
): Promise<StoredCheckpoint | null> {
  const { checkpoints } = await layers.read(questionAbout(query, checkpointId));
  return checkpoints[0] ?? null;
}

async function isStored(
  base: CheckpointPort,
  { record }: StoredCheckpoint,
): Promise<boolean> {
  const { checkpoints } = await base.read({
    thread_id: record.thread_id,
    checkpoint_ns: record.checkpoint_ns,
    checkpoint_id: record.checkpoint_id,
    limit: 1,
  });
  return checkpoints.length > 0;
}

/** The values of the checkpoints that hold a seed; more of them than needed does no harm. */
async function valuesOf(
  layers: Layers,
  query: Query,
  walk: Walk,
): Promise<StoredValue[]> {
  const values: StoredValue[] = [];
  for (const checkpointId of walk.seededBy)
    values.push(
      ...(await layers.read(questionAbout(query, checkpointId))).values,
    );
  return values;
}

const questionAbout = (query: Query, checkpointId: string | undefined) => ({
  thread_id: query.thread_id,
  checkpoint_ns: query.checkpoint_ns,
  limit: 1,
  ...(checkpointId === undefined ? {} : { checkpoint_id: checkpointId }),
});
