import type { RunnableConfig } from "@langchain/core/runnables";
import {
  DeltaSnapshot,
  type CheckpointTuple,
} from "@langchain/langgraph-checkpoint";
import { describe, expect, it } from "vitest";
import {
  copyCheckpoints,
  deleteCheckpoints,
  deleteRunCheckpoints,
  pruneCheckpoints,
  storageReport,
} from "../../src/storage/checkpoints.ts";
import { first } from "../../src/storage/database.ts";
import { sql } from "../../src/storage/sql.ts";
import type { SpoolCheckpointer } from "../../src/worker/checkpointer.ts";
import { drivers } from "../support/databases.ts";
import { openSavers, put, type TestSavers } from "../support/savers.ts";
import {
  endRun,
  insertRunningRun,
  insertThread,
} from "../support/worker-pipe.ts";

const long = (text: string) => `${text} `.repeat(300);
const list = (count: number) =>
  Array.from({ length: count }, (_, index) => long(`element ${index}`));

async function history(
  saver: SpoolCheckpointer,
  threadId: string,
  checkpoint_ns?: string,
): Promise<CheckpointTuple[]> {
  const configurable = {
    thread_id: threadId,
    ...(checkpoint_ns === undefined ? {} : { checkpoint_ns }),
  };
  const found: CheckpointTuple[] = [];
  for await (const tuple of saver.list({ configurable })) found.push(tuple);
  return found;
}

const idOf = (config: RunnableConfig | undefined): string =>
  String(config?.configurable?.["checkpoint_id"]);

const ids = (tuples: CheckpointTuple[]) =>
  tuples.map(({ config }) => idOf(config));

/** A second run of the thread, after the first has ended. */
async function nextRun({ database, run }: TestSavers) {
  return database.transaction(async (tx) => {
    await endRun(tx, run.run_id);
    return insertRunningRun(tx, run.thread_id);
  });
}

const hashes = async ({ database }: TestSavers, threadId: string) =>
  (
    await database.query<{ hash: string }>(
      sql`select hash from checkpoint_values where thread_id = ${threadId} order by hash`,
    )
  ).map(({ hash }) => hash);

/** A chain with a delta channel: a snapshot, and then one write to each checkpoint. */
async function putDeltaChain(
  saver: SpoolCheckpointer,
  threadId: string,
  length: number,
) {
  const configs: RunnableConfig[] = [];
  for (let step = 0; step < length; step += 1) {
    const parent = configs.at(-1);
    const config = await put(saver, threadId, {
      ...(parent === undefined ? {} : { parent }),
      values: step === 0 ? { list: new DeltaSnapshot(["start"]) } : {},
      metadata:
        step === 0
          ? {}
          : { counters_since_delta_snapshot: { list: [step, step] } },
    });
    await saver.putWrites(
      config,
      [["list", [long(`write ${step}`)]]],
      `task ${step}`,
    );
    configs.push(config);
  }
  return configs;
}

const deltaValues = async (
  saver: SpoolCheckpointer,
  config: RunnableConfig | undefined,
) => {
  const { list: found } = await saver.getDeltaChannelHistory({
    config: config ?? {},
    channels: ["list"],
  });
  return {
    seed: found?.seed,
    writes: found?.writes.map(([, , value]) => value),
  };
};

const deltaWrites = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => [
    long(`write ${from + index}`),
  ]);

describe.each(drivers())("histories of checkpoints on $name", (driver) => {
  it("a copy has the same history, and goes its own way", async () => {
    await using savers = await openSavers(driver);
    const { database, run } = savers;
    const saver = savers.saver();
    const own = { thread_id: run.thread_id, note: "kept" };
    const parent = await put(saver, run.thread_id, {
      values: { list: list(100) },
      metadata: own,
    });
    const newest = await put(saver, run.thread_id, {
      parent,
      values: { list: list(101) },
      metadata: { note: "no thread" },
    });
    await put(saver, run.thread_id, {
      checkpoint_ns: "child:1",
      values: { a: 1 },
      metadata: own,
    });
    await saver.putWrites(newest, [["list", long("pending")]], "task", "~path");
    const before = await history(savers.saver(), run.thread_id);

    const copy = await database.transaction(async (tx) => {
      const threadId = await insertThread(tx);
      await copyCheckpoints(tx, run.thread_id, threadId);
      return threadId;
    });
    const rewritten = JSON.parse(
      JSON.stringify(before).replaceAll(run.thread_id, copy),
    );
    expect(
      JSON.parse(JSON.stringify(await history(savers.saver(), copy))),
    ).toEqual(rewritten);

    await database.transaction((tx) => deleteCheckpoints(tx, run.thread_id));
    expect(await history(savers.saver(), run.thread_id)).toEqual([]);
    expect(await hashes(savers, run.thread_id)).toEqual([]);
    expect(
      JSON.parse(JSON.stringify(await history(savers.saver(), copy))),
    ).toEqual(rewritten);
  });

  it("pruning keeps the newest checkpoint of each namespace, whole, and nothing else", async () => {
    await using savers = await openSavers(driver);
    const { database, run } = savers;
    const other = await database.transaction((tx) => insertRunningRun(tx));
    await put(savers.saver(other), other.thread_id, {
      values: { list: list(5) },
    });
    const saver = savers.saver();
    const parent = await put(saver, run.thread_id, {
      values: { list: list(150), gone: long("gone") },
    });
    await saver.putWrites(parent, [["list", long("old")]], "task");
    const newest = await put(saver, run.thread_id, {
      parent,
      values: { list: list(151) },
    });
    await saver.putWrites(newest, [["list", long("pending")]], "task");
    await put(saver, run.thread_id, {
      checkpoint_ns: "child",
      values: { old: long("old") },
    });
    const child = await put(saver, run.thread_id, {
      checkpoint_ns: "child",
      values: { own: long("own") },
    });
    const before = await history(savers.saver(), run.thread_id);

    await database.transaction((tx) => pruneCheckpoints(tx, run.thread_id));
    const after = await history(savers.saver(), run.thread_id);
    expect(ids(after)).toEqual([idOf(child), idOf(newest)]);
    expect(after).toEqual(
      before.filter(({ config }) => ids(after).includes(idOf(config))),
    );
    const clean = await openSavers(driver);
    await using _ = clean;
    await put(clean.saver(), clean.run.thread_id, {
      values: { list: list(151) },
    });
    await put(clean.saver(), clean.run.thread_id, {
      checkpoint_ns: "child",
      values: { own: long("own") },
    });
    expect(await hashes(savers, run.thread_id)).toEqual(
      await hashes(clean, clean.run.thread_id),
    );
    const writes = await first<{ count: number }>(
      database,
      sql`select count(*) as count from checkpoint_writes`,
    );
    expect(writes?.count).toBe(1);
    expect(await history(savers.saver(), other.thread_id)).toHaveLength(1);
  });

  it("pruning keeps the ancestors from which a delta channel is rebuilt", async () => {
    await using savers = await openSavers(driver);
    const { database, run } = savers;
    const saver = savers.saver();
    const configs = await putDeltaChain(saver, run.thread_id, 5);
    const snapshot = await put(saver, run.thread_id, {
      parent: configs.at(-1)!,
      values: { list: new DeltaSnapshot(["from here"]) },
    });
    await saver.putWrites(snapshot, [["list", [long("write 5")]]], "task");
    const newest = await put(saver, run.thread_id, {
      parent: snapshot,
      values: {},
      metadata: { counters_since_delta_snapshot: { list: [1, 1] } },
    });
    const before = await deltaValues(savers.saver(), newest);
    await database.transaction((tx) => pruneCheckpoints(tx, run.thread_id));
    expect(ids(await history(savers.saver(), run.thread_id))).toEqual([
      idOf(newest),
      idOf(snapshot),
    ]);
    expect(await deltaValues(savers.saver(), newest)).toEqual(before);
    expect(before).toEqual({
      seed: new DeltaSnapshot(["from here"]),
      writes: [[long("write 5")]],
    });
  });

  it("a delta channel is rebuilt over more ancestors than one read brings, on its own branch only", async () => {
    await using savers = await openSavers(driver);
    const saver = savers.saver();
    const configs = await putDeltaChain(saver, savers.run.thread_id, 150);
    const fork = await put(saver, savers.run.thread_id, {
      parent: configs[2]!,
      values: {},
    });
    const seed = new DeltaSnapshot(["start"]);
    expect(await deltaValues(savers.saver(), configs.at(-1))).toEqual({
      seed,
      writes: deltaWrites(0, 149),
    });
    expect(await deltaValues(savers.saver(), fork)).toEqual({
      seed,
      writes: deltaWrites(0, 3),
    });
    const newest = { configurable: { thread_id: savers.run.thread_id } };
    expect(await deltaValues(savers.saver(), newest)).toEqual({
      seed,
      writes: deltaWrites(0, 3),
    });
    expect(await deltaValues(savers.saver(), configs[0])).toEqual({
      seed: undefined,
      writes: [],
    });
  });

  it("deleting the newest run brings the thread back to where it was before", async () => {
    await using savers = await openSavers(driver);
    const { database, run } = savers;
    const saver = savers.saver();
    const end = await put(saver, run.thread_id, {
      values: { list: list(100), kept: long("kept") },
    });
    await saver.putWrites(
      end,
      [
        ["list", long("of the first run")],
        ["__interrupt__", "asked"],
      ],
      "task",
    );
    const before = await history(savers.saver(), run.thread_id);
    const valuesBefore = await hashes(savers, run.thread_id);

    const second = await nextRun(savers);
    const later = savers.saver(second);
    await later.putWrites(
      end,
      [
        ["__resume__", "answer"],
        ["list", long("of the second run")],
      ],
      "other task",
    );
    const next = await put(later, run.thread_id, {
      parent: end,
      values: { list: list(130) },
    });
    await later.putWrites(next, [["list", 1]], "task");
    await put(later, run.thread_id, {
      checkpoint_ns: "child",
      values: { own: long("own") },
    });

    await database.transaction((tx) =>
      deleteRunCheckpoints(tx, run.thread_id, second.run_id),
    );
    expect(await history(savers.saver(), run.thread_id)).toEqual(before);
    expect(await hashes(savers, run.thread_id)).toEqual(valuesBefore);
  });

  it("deleting an older run keeps what the delta channels of a later one need", async () => {
    await using savers = await openSavers(driver);
    const { database, run } = savers;
    const first = await putDeltaChain(savers.saver(), run.thread_id, 4);
    const branch = await put(savers.saver(), run.thread_id, {
      parent: first[3]!,
      values: { own: long("own") },
    });
    const second = await nextRun(savers);
    const newest = await put(savers.saver(second), run.thread_id, {
      parent: first[3]!,
      values: {},
      metadata: { counters_since_delta_snapshot: { list: [4, 4] } },
    });
    const before = await deltaValues(savers.saver(), newest);
    await database.transaction((tx) =>
      deleteRunCheckpoints(tx, run.thread_id, run.run_id),
    );
    expect(await deltaValues(savers.saver(), newest)).toEqual(before);
    expect(before.writes).toEqual(deltaWrites(0, 4));
    expect(await savers.saver().getTuple(branch)).toBeUndefined();
  });

  it("the storage report adds up to what is in the tables", async () => {
    await using savers = await openSavers(driver);
    const { database, run } = savers;
    const saver = savers.saver();
    expect(await storageReport(database, run.thread_id)).toEqual({
      thread_id: run.thread_id,
      total_bytes: 0,
      checkpoints: { count: 0, bytes: 0 },
      channel_values: { count: 0, bytes: 0, by_channel: {} },
      pending_writes: { count: 0, bytes: 0 },
    });
    const parent = await put(saver, run.thread_id, {
      values: { list: list(100), note: "é", text: long("text") },
    });
    const newest = await put(saver, run.thread_id, {
      parent,
      values: { list: list(101), note: "é" },
    });
    await saver.putWrites(newest, [["list", "é"]], "task");
    const report = await storageReport(database, run.thread_id);
    const stored = await database.query<{ data: Uint8Array }>(
      sql`select data from checkpoint_values`,
    );
    const bytes = (value: unknown) => Buffer.byteLength(JSON.stringify(value));
    // Postgres writes jsonb with a space behind each colon and comma.
    const texts = await database.query<{ bytes: number }>(sql`
      select octet_length(cast(checkpoint as text)) + octet_length(cast(metadata as text))
        + octet_length(cast(channels as text)) as bytes
      from checkpoints`);
    const inRows = texts.reduce((sum, row) => sum + row.bytes, 0);
    const inValues = stored.reduce((sum, { data }) => sum + data.length, 0);
    const note = 2 * bytes({ json: '"é"' });
    expect(report.checkpoints).toEqual({ count: 2, bytes: inRows - note });
    expect(report.pending_writes).toEqual({ count: 1, bytes: 4 });
    expect(report.channel_values.count).toBe(4);
    expect(report.channel_values.bytes).toBe(inValues + note);
    expect(report.total_bytes).toBe(inRows + inValues + 4);
    expect(report.channel_values.by_channel).toEqual({
      list: { versions: 2, bytes: inValues - bytes(long("text")) },
      note: { versions: 1, bytes: note },
      text: { versions: 1, bytes: bytes(long("text")) },
    });
  });
});
