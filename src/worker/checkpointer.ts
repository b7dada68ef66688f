import {
  BaseCheckpointSaver,
  getCheckpointId,
  maxChannelVersion,
  TASKS,
  WRITES_IDX_MAP,
  type ChannelVersions,
  type Checkpoint,
  type CheckpointListOptions,
  type CheckpointMetadata,
  type CheckpointPendingWrite,
  type CheckpointTuple,
  type DeltaChannelHistory,
  type PendingWrite,
} from "@langchain/langgraph-checkpoint";
import type { RunnableConfig } from "@langchain/core/runnables";
import type { JsonObject } from "../lib/json.ts";
import type {
  CheckpointQuery,
  CheckpointRecord,
  CheckpointWrite,
  PendingWriteRecord,
  StoredCheckpoint,
  StoredValue,
} from "../protocol/checkpoint-frames.ts";
import type { CheckpointPort } from "./checkpoint-port.ts";
import { CheckpointSerializer } from "./checkpoint-serializer.ts";
import { decodeValue, dump, encodeChannels } from "./checkpoint-values.ts";
import { KnownValues } from "./known-values.ts";

export {
  LeaseLostError,
  readOnlyCheckpointPort,
  runCheckpointPort,
  type CheckpointPort,
  type RunCheckpointPort,
} from "./checkpoint-port.ts";

/** Checkpoints asked for at once by `list`; each request is one frame. */
const LIST_PAGE = 20;

/** Pending sends moved from the parent's writes into the checkpoint with this version of the format. */
const SENDS_IN_CHECKPOINT = 4;

type ValuesByHash = ReadonlyMap<string, StoredValue>;

/**
 * LangGraph's saver over the pipe. Values are sent by content and each once:
 * the saver remembers what the server has. One instance serves one run or one
 * request, with all its subgraphs at once.
 */
export class SpoolCheckpointer extends BaseCheckpointSaver {
  readonly #port: CheckpointPort;
  readonly #known = new Map<string, KnownValues>();
  /** Per thread and namespace, the channels that some checkpoint holds a value of. */
  readonly #storedChannels = new Map<string, Set<string>>();

  constructor(port: CheckpointPort) {
    super(new CheckpointSerializer());
    this.#port = port;
  }

  override async getTuple(
    config: RunnableConfig,
  ): Promise<CheckpointTuple | undefined> {
    const { thread_id, checkpoint_ns } = address(config);
    if (thread_id === undefined) return undefined;
    const checkpoint_id = getCheckpointId(config);
    const [tuple] = await this.#read({
      thread_id,
      checkpoint_ns: checkpoint_ns ?? "",
      ...(checkpoint_id === "" ? {} : { checkpoint_id }),
      limit: 1,
    });
    return tuple;
  }

  /** Newest first, over all namespaces of the thread unless the config names one. */
  override async *list(
    config: RunnableConfig,
    options: CheckpointListOptions = {},
  ): AsyncGenerator<CheckpointTuple> {
    const query = listQuery(config, options);
    let left = options.limit ?? Infinity;
    while (left > 0) {
      const page = await this.#read({
        ...query,
        limit: Math.min(left, LIST_PAGE),
      });
      yield* page;
      const oldest = page.at(-1);
      if (oldest === undefined || query.checkpoint_id !== undefined) return;
      left -= page.length;
      query.before = oldest.checkpoint.id;
    }
  }

  override async put(
    config: RunnableConfig,
    checkpoint: Checkpoint,
    metadata: CheckpointMetadata,
    newVersions: ChannelVersions,
  ): Promise<RunnableConfig> {
    const { thread_id, checkpoint_ns = "" } = address(config);
    if (thread_id === undefined) throw missing("put a checkpoint", "thread_id");
    const { channel_values, ...rest } = checkpoint;
    const at = { thread_id, checkpoint_ns, checkpoint_id: checkpoint.id };
    // All three are taken before the first wait: LangGraph goes on with these objects.
    const own = JSON.parse(JSON.stringify(rest)) as JsonObject;
    const [{ channels, values }, metadataJson] = await Promise.all([
      encodeChannels(
        this.serde,
        this.#stored({ ...at, values: channel_values, newVersions }),
      ),
      this.#toJson(metadata),
    ]);
    await this.#put(
      {
        ...at,
        parent_checkpoint_id: getCheckpointId(config) || null,
        checkpoint: own,
        metadata: metadataJson,
        channels,
      },
      values,
    );
    return { configurable: at };
  }

  override async putWrites(
    config: RunnableConfig,
    writes: PendingWrite[],
    taskId: string,
    taskPath = "",
  ): Promise<void> {
    const { thread_id, checkpoint_ns = "" } = address(config);
    const checkpoint_id = getCheckpointId(config);
    if (thread_id === undefined) throw missing("put writes", "thread_id");
    if (checkpoint_id === "") throw missing("put writes", "checkpoint_id");
    const records = writes.map(async ([channel, value], index) => {
      const [type, data] = await dump(this.serde, value);
      // Errors, interrupts and resume values have an index of their own, so that a later one replaces them.
      const idx = WRITES_IDX_MAP[channel] ?? index;
      return { task_id: taskId, idx, task_path: taskPath, channel, type, data };
    });
    await this.#port.write({
      kind: "writes",
      thread_id,
      checkpoint_ns,
      checkpoint_id,
      writes: await Promise.all(records),
    });
  }

  override async deleteThread(threadId: string): Promise<void> {
    await this.#port.deleteThread(threadId);
    this.#known.delete(threadId);
  }

  override async getDeltaChannelHistory(options: {
    config: RunnableConfig;
    channels: string[];
  }): Promise<Record<string, DeltaChannelHistory>> {
    const { thread_id, checkpoint_ns = "" } = address(options.config);
    if (thread_id === undefined || options.channels.length === 0) return {};
    const checkpoint_id = getCheckpointId(options.config);
    const answer = await this.#port.deltaHistory({
      thread_id,
      checkpoint_ns,
      channels: options.channels,
      ...(checkpoint_id === "" ? {} : { checkpoint_id }),
    });
    const values = byHash(answer.values);
    const histories = Object.entries(answer.channels).map(
      async ([channel, { seed, writes }]) => {
        const history: DeltaChannelHistory = {
          writes: await this.#pendingWrites(writes),
        };
        if (seed !== null)
          history.seed = await decodeValue(this.serde, seed, values);
        return [channel, history] as const;
      },
    );
    return Object.fromEntries(await Promise.all(histories));
  }

  /**
   * A channel is stored when it has a new version. One without is stored
   * again, since its object may have been changed in place, unless it never
   * was: then it is a default that the graph makes anew.
   */
  #stored(put: {
    thread_id: string;
    checkpoint_ns: string;
    values: Record<string, unknown>;
    newVersions: ChannelVersions;
  }): Record<string, unknown> {
    const known = this.#channelsOf(put);
    for (const channel in put.newVersions) known.add(channel);
    return Object.fromEntries(
      Object.entries(put.values).filter(([channel]) => known.has(channel)),
    );
  }

  async #put(
    record: CheckpointRecord,
    values: ReadonlyMap<string, StoredValue>,
  ): Promise<void> {
    const known = this.#knownOf(record.thread_id);
    const sent = [...values.values()].filter(
      ({ hash }) => !known.isStored(hash),
    );
    const whole = (): CheckpointWrite => {
      known.forget();
      return { kind: "put", record, values: [...values.values()] };
    };
    const stored = this.#port.write(
      { kind: "put", record, values: sent },
      whole,
    );
    // What comes after it arrives after it, and need not say the same again.
    known.remember(sent);
    await stored;
  }

  async #read(query: CheckpointQuery): Promise<CheckpointTuple[]> {
    const { thread_id } = query;
    const kept = new Map(
      thread_id === undefined ? [] : this.#knownOf(thread_id).kept,
    );
    const answer = await this.#port.read({ ...query, known: [...kept.keys()] });
    if (thread_id !== undefined)
      this.#knownOf(thread_id).remember(answer.values);
    for (const value of answer.values) kept.set(value.hash, value);
    return Promise.all(
      answer.checkpoints.map((stored) => this.#tuple(stored, kept)),
    );
  }

  async #tuple(
    { record, writes }: StoredCheckpoint,
    values: ValuesByHash,
  ): Promise<CheckpointTuple> {
    const { thread_id, checkpoint_ns, checkpoint_id } = record;
    const parentId = record.parent_checkpoint_id;
    const tuple: CheckpointTuple = {
      config: { configurable: { thread_id, checkpoint_ns, checkpoint_id } },
      checkpoint: await this.#checkpoint(record, values),
      metadata: await this.#fromJson(record.metadata),
      pendingWrites: await this.#pendingWrites(writes),
    };
    if (parentId !== null)
      tuple.parentConfig = {
        configurable: { thread_id, checkpoint_ns, checkpoint_id: parentId },
      };
    if (parentId !== null && tuple.checkpoint.v < SENDS_IN_CHECKPOINT)
      await this.#moveSends(tuple.checkpoint, {
        thread_id,
        checkpoint_ns,
        checkpoint_id: parentId,
      });
    return tuple;
  }

  async #checkpoint(
    record: CheckpointRecord,
    values: ValuesByHash,
  ): Promise<Checkpoint> {
    const known = this.#channelsOf(record);
    const decoded = Object.entries(record.channels).map(
      async ([channel, ref]) => {
        known.add(channel);
        return [channel, await decodeValue(this.serde, ref, values)] as const;
      },
    );
    return {
      ...(record.checkpoint as unknown as Omit<Checkpoint, "channel_values">),
      channel_values: Object.fromEntries(await Promise.all(decoded)),
    };
  }

  async #moveSends(
    checkpoint: Checkpoint,
    parent: CheckpointQuery,
  ): Promise<void> {
    const { checkpoints } = await this.#port.read({ ...parent, limit: 1 });
    const sends = (checkpoints[0]?.writes ?? []).filter(
      ({ channel }) => channel === TASKS,
    );
    const versions = Object.values(checkpoint.channel_versions);
    checkpoint.channel_values[TASKS] = await Promise.all(
      sends.map(({ type, data }) => this.serde.loadsTyped(type, data)),
    );
    checkpoint.channel_versions[TASKS] =
      versions.length > 0
        ? maxChannelVersion(...versions)
        : this.getNextVersion(undefined);
  }

  #pendingWrites(
    writes: readonly PendingWriteRecord[],
  ): Promise<CheckpointPendingWrite[]> {
    return Promise.all(
      writes.map(async ({ task_id, channel, type, data }) => [
        task_id,
        channel,
        await this.serde.loadsTyped(
          type,
          type === "bytes" ? new Uint8Array(data) : data,
        ),
      ]),
    );
  }

  async #toJson(value: unknown): Promise<JsonObject> {
    const [, data] = await this.serde.dumpsTyped(value);
    return JSON.parse(new TextDecoder().decode(data)) as JsonObject;
  }

  #fromJson(value: JsonObject): Promise<CheckpointMetadata> {
    return this.serde.loadsTyped("json", JSON.stringify(value));
  }

  #knownOf(threadId: string): KnownValues {
    return getOrInsert(this.#known, threadId, () => new KnownValues());
  }

  #channelsOf(at: { thread_id: string; checkpoint_ns: string }): Set<string> {
    const key = JSON.stringify([at.thread_id, at.checkpoint_ns]);
    return getOrInsert(this.#storedChannels, key, () => new Set());
  }
}

function address(config: RunnableConfig): {
  thread_id?: string;
  checkpoint_ns?: string;
} {
  const { thread_id, checkpoint_ns } = (config.configurable ?? {}) as Record<
    string,
    unknown
  >;
  return {
    ...(thread_id === undefined ? {} : { thread_id: String(thread_id) }),
    ...(checkpoint_ns === undefined
      ? {}
      : { checkpoint_ns: String(checkpoint_ns) }),
  };
}

function listQuery(
  config: RunnableConfig,
  { before, filter }: CheckpointListOptions,
): CheckpointQuery {
  const checkpoint_id = getCheckpointId(config);
  const beforeId = before === undefined ? "" : getCheckpointId(before);
  return {
    ...address(config),
    ...(checkpoint_id === "" ? {} : { checkpoint_id }),
    ...(beforeId === "" ? {} : { before: beforeId }),
    ...(filter === undefined ? {} : { filter }),
  };
}

const missing = (what: string, field: string): Error =>
  new Error(
    `cannot ${what}: config.configurable.${field} is missing; invoke the graph with { configurable: { ${field}: … } }`,
  );

const byHash = (values: readonly StoredValue[]): ValuesByHash =>
  new Map(values.map((value) => [value.hash, value]));

function getOrInsert<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const found = map.get(key);
  if (found !== undefined) return found;
  const made = make();
  map.set(key, made);
  return made;
}
