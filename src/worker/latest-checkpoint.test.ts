import { expect, test } from "vitest";
import type {
  CheckpointRecord,
  CheckpointWrite,
  StoredValue,
} from "../protocol/checkpoint-frames.ts";
import { LatestCheckpoint } from "./latest-checkpoint.ts";

const record = (
  checkpoint_id: string,
  more: Partial<CheckpointRecord> = {},
): CheckpointRecord => ({
  thread_id: "t",
  checkpoint_ns: "",
  checkpoint_id,
  parent_checkpoint_id: null,
  checkpoint: { id: checkpoint_id, channel_versions: { a: 1 } },
  metadata: {},
  channels: { a: { hash: "1" }, b: { json: "2" } },
  ...more,
});

const value = (hash: string): StoredValue => ({
  hash,
  type: "json",
  data: new Uint8Array([1]),
});

const put = (
  of: CheckpointRecord,
  ...values: StoredValue[]
): CheckpointWrite => ({
  kind: "put",
  record: of,
  values,
});

const writes = (
  checkpoint_id: string,
  ...tasks: string[]
): CheckpointWrite => ({
  kind: "writes",
  thread_id: "t",
  checkpoint_ns: "",
  checkpoint_id,
  writes: tasks.map((task_id, idx) => ({
    task_id,
    idx,
    task_path: "",
    channel: "a",
    type: "json",
    data: new Uint8Array(),
  })),
});

const newest = { thread_id: "t", checkpoint_ns: "", limit: 1 };

test("a thread without checkpoints has none until the run makes one", () => {
  const latest = new LatestCheckpoint("t", { checkpoints: [], values: [] });
  expect(latest.answer(newest)).toEqual({ checkpoints: [], values: [] });
  latest.add(put(record("1"), value("1")));
  expect(latest.answer(newest)?.checkpoints[0]?.record.checkpoint_id).toBe("1");
});

test("only the server knows what nobody has told", () => {
  const latest = new LatestCheckpoint("t", null);
  expect(latest.answer(newest)).toBeNull();
  latest.add(put(record("2"), value("1")));
  for (const other of [
    { ...newest, thread_id: "other" },
    { ...newest, checkpoint_ns: "sub:1" },
    { ...newest, checkpoint_id: "1" },
    { ...newest, limit: 2 },
    { ...newest, before: "3" },
    { ...newest, filter: {} },
  ])
    expect(latest.answer(other)).toBeNull();
  expect(latest.answer({ ...newest, checkpoint_id: "2" })).not.toBeNull();
});

test("values come along unless they are known; one that is neither is asked for", () => {
  const latest = new LatestCheckpoint("t", null);
  latest.add(put(record("1"), value("1"), value("not referred to")));
  expect(latest.answer(newest)?.values).toEqual([value("1")]);
  expect(latest.answer({ ...newest, known: ["1"] })?.values).toEqual([]);
  // The second checkpoint has the value of the first, which was not sent again.
  latest.add(put(record("2")));
  expect(latest.answer(newest)?.values).toEqual([value("1")]);
  latest.add(put(record("3", { channels: { a: { hash: "9" } } })));
  expect(latest.answer(newest)).toBeNull();
  latest.add(
    put(record("4", { channels: { a: { pages: ["p"], length: 1 } } })),
  );
  expect(latest.answer(newest)).toBeNull();
});

test("the head comes with its pages", () => {
  const channels = { a: { pages: ["p"], length: 1 } };
  const page: StoredValue = { ...value("p"), type: "page" };
  const latest = new LatestCheckpoint("t", {
    checkpoints: [{ record: record("1", { channels }), writes: [] }],
    values: [page, value("1")],
  });
  expect(latest.answer(newest)?.values).toEqual([page, value("1")]);
});

test("pending writes belong to their checkpoint, each once", () => {
  const latest = new LatestCheckpoint("t", null);
  latest.add(put(record("1"), value("1")));
  latest.add(writes("0", "elsewhere"));
  latest.add(writes("1", "first", "second"));
  latest.add(writes("1", "first"));
  const [checkpoint] = latest.answer(newest)?.checkpoints ?? [];
  expect(checkpoint?.writes.map(({ task_id }) => task_id)).toEqual([
    "first",
    "second",
  ]);
  latest.add(put(record("2")));
  expect(latest.answer(newest)?.checkpoints[0]?.writes).toEqual([]);
});

test("what LangGraph does to an answer does not change the next one", () => {
  const latest = new LatestCheckpoint("t", null);
  latest.add(put(record("1"), value("1")));
  const [first] = latest.answer(newest)?.checkpoints ?? [];
  Object.assign(first!.record.checkpoint["channel_versions"]!, { a: 99 });
  expect(latest.answer(newest)?.checkpoints[0]?.record.checkpoint).toEqual({
    id: "1",
    channel_versions: { a: 1 },
  });
});

test("a checkpoint older than the newest leaves the question to the server", () => {
  const latest = new LatestCheckpoint("t", null);
  latest.add(put(record("5"), value("1")));
  latest.add(put(record("4"), value("1")));
  expect(latest.answer(newest)).toBeNull();
});

test("what is stored before the checkpoint that it belongs to is found with it", () => {
  const latest = new LatestCheckpoint("t", { checkpoints: [], values: [] });
  latest.add(put(record("1"), value("1")));
  latest.add(writes("2", "one"));
  latest.add(writes("2", "one", "two"));
  latest.add(put(record("2"), value("1")));
  const tasks = (id: string) =>
    latest
      .answer({ ...newest, checkpoint_id: id })
      ?.checkpoints[0]?.writes.map(({ task_id }) => task_id);
  expect(tasks("2")).toEqual(["one", "two"]);
  latest.add(put(record("3"), value("1")));
  expect(tasks("3")).toEqual([]);
});
