import { AIMessage, HumanMessage } from "@langchain/core/messages";
import {
  DeltaSnapshot,
  isDeltaSnapshot,
} from "@langchain/langgraph-checkpoint";
import { describe, expect, it } from "vitest";
import type { CheckpointWrite } from "../../src/protocol/checkpoint-frames.ts";
import { deleteUnusedValues } from "../../src/storage/checkpoint-values.ts";
import { deleteCheckpoints } from "../../src/storage/checkpoints.ts";
import { sql } from "../../src/storage/sql.ts";
import { drivers } from "../support/databases.ts";
import { countRows, openSavers, put, readTuple } from "../support/savers.ts";

const message = (index: number) => ({
  id: `message ${index}`,
  text: `${index} `.repeat(60),
});
const messages = (count: number) =>
  Array.from({ length: count }, (_, index) => message(index));

const bytesOf = (write: CheckpointWrite | undefined): number =>
  write?.kind === "put"
    ? write.values.reduce((sum, { data }) => sum + data.length, 0) +
      JSON.stringify(write.record).length
    : 0;

describe.each(drivers())("values of checkpoints on $name", (driver) => {
  it("appending to a list of a thousand messages sends about one message", async () => {
    await using savers = await openSavers(driver);
    const saver = savers.saver();
    const { thread_id } = savers.run;
    const parent = await put(saver, thread_id, {
      values: { messages: messages(1000) },
    });
    const grown = [...messages(1000), message(1000)];
    const config = await put(saver, thread_id, {
      parent,
      values: { messages: grown },
    });
    expect(bytesOf(savers.sent[0])).toBeGreaterThan(200_000);
    expect(bytesOf(savers.sent[1])).toBeLessThan(4_000);
    expect(
      (await readTuple(savers, config)).checkpoint.channel_values["messages"],
    ).toEqual(grown);
  });

  it("a saver that has only loaded a list sends about one message too", async () => {
    await using savers = await openSavers(driver);
    const { thread_id } = savers.run;
    const parent = await put(savers.saver(), thread_id, {
      values: { messages: messages(1000) },
    });
    const saver = savers.saver();
    await saver.getTuple(parent);
    await put(saver, thread_id, {
      parent,
      values: { messages: messages(1001) },
    });
    expect(bytesOf(savers.sent[1])).toBeLessThan(4_000);
  });

  it("a list is read back in its order after elements were removed, inserted and repeated", async () => {
    await using savers = await openSavers(driver);
    const saver = savers.saver();
    const { thread_id } = savers.run;
    const list = messages(300);
    const parent = await put(saver, thread_id, { values: { list } });
    const edited = [
      message(7),
      ...list.slice(10, 200),
      message(7),
      ...list.slice(100),
    ];
    const config = await put(saver, thread_id, {
      parent,
      values: { list: edited },
    });
    expect(
      (await readTuple(savers, config)).checkpoint.channel_values["list"],
    ).toEqual(edited);
    expect(
      (await readTuple(savers, parent)).checkpoint.channel_values["list"],
    ).toEqual(list);
  });

  it("an object that was changed in place is stored as it is now, even without a new version", async () => {
    await using savers = await openSavers(driver);
    const saver = savers.saver();
    const { thread_id } = savers.run;
    const list = messages(100);
    const settings = { deep: { text: "before".repeat(200) } };
    const values = { list, settings };
    const parent = await put(saver, thread_id, { values });
    list[50] = { ...message(50), text: "edited" };
    list[3]!.text = "edited in place";
    settings.deep.text = "after";
    const config = await put(saver, thread_id, { parent, values, changed: [] });
    const stored = (await readTuple(savers, config)).checkpoint.channel_values;
    expect(stored).toEqual(values);
    expect(
      (await readTuple(savers, parent)).checkpoint.channel_values["settings"],
    ).toEqual({
      deep: { text: "before".repeat(200) },
    });
  });

  it("what changes while the write is under way is not stored", async () => {
    await using savers = await openSavers(driver);
    const saver = savers.saver();
    const { thread_id } = savers.run;
    const list = messages(100);
    const bytes = new Uint8Array(2000);
    const storing = put(saver, thread_id, { values: { list, bytes } });
    list[99]!.text = "too late";
    list.push(message(100));
    bytes.fill(9);
    const stored = (await readTuple(savers, await storing)).checkpoint
      .channel_values;
    expect(stored).toEqual({
      list: messages(100),
      bytes: new Uint8Array(2000),
    });
  });

  it("every kind of value that LangGraph can save comes back as it was", async () => {
    await using savers = await openSavers(driver);
    const { thread_id } = savers.run;
    const long = "x".repeat(2000);
    const values = {
      nothing: null,
      text: long,
      unicode: "\u0000 \ud83d\ude00 \u2028",
      missing: undefined,
      flag: false,
      empty: [],
      numbers: Array.from({ length: 2000 }, (_, index) => index / 3),
      mixed: [
        1,
        null,
        undefined,
        long,
        [long],
        { long },
        new Uint8Array([1, 2]),
      ],
      bytes: new Uint8Array(3000).fill(7),
      fewBytes: new Uint8Array([1, 2, 3]),
      map: new Map([["a", { long }]]),
      set: new Set([1, 2]),
      pattern: /a.b/gi,
      messages: [
        new HumanMessage({ id: "1", content: long }),
        new AIMessage({
          id: "2",
          content: "",
          tool_calls: [{ id: "t", name: "f", args: { a: 1 } }],
        }),
      ],
      "a.strange 'name'": { ["__proto__x"]: 1 },
    };
    const config = await put(savers.saver(), thread_id, { values });
    const stored = (await readTuple(savers, config)).checkpoint.channel_values;
    expect(stored).toEqual(values);
    expect(stored["messages"]).toEqual([
      expect.any(HumanMessage),
      expect.any(AIMessage),
    ]);
    expect(stored["bytes"]).toBeInstanceOf(Uint8Array);
  });

  it("a snapshot of a delta channel is stored element by element and stays a snapshot", async () => {
    await using savers = await openSavers(driver);
    const saver = savers.saver();
    const { thread_id } = savers.run;
    const parent = await put(saver, thread_id, {
      values: { list: new DeltaSnapshot(messages(500)) },
    });
    const config = await put(saver, thread_id, {
      parent,
      values: { list: new DeltaSnapshot(messages(501)) },
    });
    expect(bytesOf(savers.sent[1])).toBeLessThan(4_000);
    const { list } = (await readTuple(savers, config)).checkpoint
      .channel_values;
    expect(isDeltaSnapshot(list)).toBe(true);
    expect(list).toEqual(new DeltaSnapshot(messages(501)));
    const small = await put(saver, thread_id, {
      values: {
        list: new DeltaSnapshot([1]),
        set: new DeltaSnapshot({ a: 1 }),
      },
    });
    expect((await readTuple(savers, small)).checkpoint.channel_values).toEqual({
      list: new DeltaSnapshot([1]),
      set: new DeltaSnapshot({ a: 1 }),
    });
  });

  it("small values make no row of their own, and equal ones share one", async () => {
    await using savers = await openSavers(driver);
    const { thread_id } = savers.run;
    const saver = savers.saver();
    await put(saver, thread_id, {
      values: { a: "small", b: [1, 2, 3], c: { d: null } },
    });
    expect(await countRows(savers.database, "checkpoint_values")).toBe(0);
    const large = "x".repeat(600);
    await put(saver, thread_id, { values: { a: large, b: large } });
    await put(savers.saver(), thread_id, { values: { c: large } });
    expect(await countRows(savers.database, "checkpoint_values")).toBe(1);
  });

  it("a saver whose values were deleted meanwhile sends all of them again", async () => {
    await using savers = await openSavers(driver);
    const { database, run } = savers;
    const saver = savers.saver();
    await put(saver, run.thread_id, { values: { list: messages(200) } });
    await database.transaction((tx) => deleteCheckpoints(tx, run.thread_id));
    const config = await put(saver, run.thread_id, {
      values: { list: messages(201) },
    });
    expect(
      (await readTuple(savers, config)).checkpoint.channel_values["list"],
    ).toEqual(messages(201));
    expect(savers.sent).toHaveLength(3);
  });

  it("a put whose page is there but not the elements in it is refused and stores nothing", async () => {
    await using savers = await openSavers(driver);
    const { database, peer, run } = savers;
    await put(savers.saver(), run.thread_id, {
      values: { list: messages(100) },
    });
    const [write] = savers.sent;
    if (write?.kind !== "put") throw new Error("expected a put");
    await database.transaction((tx) => deleteCheckpoints(tx, run.thread_id));
    const answer = await peer.request("checkpoint.write", {
      fence: run,
      durable: true,
      writes: [
        {
          ...write,
          values: write.values.filter(({ type }) => type === "page"),
        },
      ],
    });
    expect(answer).toBe("incomplete");
    expect(await countRows(database, "checkpoints")).toBe(0);
    expect(await countRows(database, "checkpoint_values")).toBe(0);
  });

  it("values that nothing refers to are collected, and no others", async () => {
    await using savers = await openSavers(driver);
    const { database, run } = savers;
    const config = await put(savers.saver(), run.thread_id, {
      values: { list: messages(100) },
    });
    const used = await countRows(database, "checkpoint_values");
    await put(savers.saver(), run.thread_id, {
      checkpoint_ns: "child",
      values: { text: "y".repeat(600) },
    });
    await database.transaction(async (tx) => {
      await tx.query(
        sql`delete from checkpoints where checkpoint_ns = 'child'`,
      );
      await deleteUnusedValues(tx, run.thread_id);
    });
    expect(await countRows(database, "checkpoint_values")).toBe(used);
    expect(
      (await readTuple(savers, config)).checkpoint.channel_values["list"],
    ).toEqual(messages(100));
  });
});
