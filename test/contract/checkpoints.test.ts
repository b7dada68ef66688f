import { ERROR, INTERRUPT } from "@langchain/langgraph-checkpoint";
import { describe, expect, it } from "vitest";
import { first } from "../../src/storage/database.ts";
import { sql } from "../../src/storage/sql.ts";
import {
  LeaseLostError,
  SpoolCheckpointer,
} from "../../src/worker/checkpointer.ts";
import { drivers } from "../support/databases.ts";
import { countRows, openSavers, put, readTuple } from "../support/savers.ts";
import {
  endRun,
  insertRunningRun,
  insertThread,
  portOf,
} from "../support/worker-pipe.ts";

const messages = (count: number) =>
  Array.from({ length: count }, (_, index) => ({
    id: index,
    text: `${index} `.repeat(60),
  }));

describe.each(drivers())("checkpoints on $name", (driver) => {
  it("an attempt that lost its lease stores nothing and hears of it", async () => {
    await using savers = await openSavers(driver);
    const { database, peer, run } = savers;
    let lost = 0;
    const port = portOf(peer, { ...run, attempt: 0 }, () => (lost += 1));
    const stale = new SpoolCheckpointer(port);
    await expect(
      put(stale, run.thread_id, { values: { a: "x".repeat(600) } }),
    ).rejects.toThrow(LeaseLostError);
    const config = await put(savers.saver(), run.thread_id, {
      values: { a: 1 },
    });
    await expect(stale.putWrites(config, [["a", 2]], "task")).rejects.toThrow(
      LeaseLostError,
    );
    await expect(stale.deleteThread(run.thread_id)).rejects.toThrow(
      LeaseLostError,
    );
    expect(lost).toBe(3);
    expect(await countRows(database, "checkpoints")).toBe(1);
    expect(await countRows(database, "checkpoint_writes")).toBe(0);
    expect(await countRows(database, "checkpoint_values")).toBe(0);
  });

  it("a run that has ended can write no more", async () => {
    await using savers = await openSavers(driver);
    const { database, peer, run } = savers;
    await database.transaction((tx) => endRun(tx, run.run_id));
    const saver = new SpoolCheckpointer(portOf(peer, run, () => {}));
    await expect(put(saver, run.thread_id, { values: {} })).rejects.toThrow(
      "has lost its lease",
    );
  });

  it("the input counts as applied once the graph itself has a checkpoint", async () => {
    await using savers = await openSavers(driver);
    const { database, run } = savers;
    const saver = savers.saver();
    const progress = () =>
      first(
        database,
        sql`select input_applied, last_checkpoint_id from runs where run_id = ${run.run_id}`,
      );
    const none = { input_applied: false, last_checkpoint_id: null };
    await put(saver, run.thread_id, { checkpoint_ns: "child:1", values: {} });
    expect(await progress()).toEqual(none);
    // What LangGraph hangs the writes of a run on that saves only at its end.
    const stub = await put(saver, run.thread_id, {
      values: {},
      metadata: { step: -2 },
    });
    expect(await progress()).toEqual(none);
    await saver.putWrites(stub, [["a", 1]], "task");
    expect(await progress()).toEqual(none);
    const root = await put(saver, run.thread_id, {
      values: {},
      metadata: { step: -1 },
    });
    expect(await progress()).toEqual({
      input_applied: true,
      last_checkpoint_id: root.configurable?.["checkpoint_id"],
    });
  });

  it("a write stays as it was first made, but errors and interrupts are replaced", async () => {
    await using savers = await openSavers(driver);
    const saver = savers.saver();
    const config = await put(saver, savers.run.thread_id, { values: {} });
    await saver.putWrites(
      config,
      [
        ["a", "first"],
        [INTERRUPT, "first"],
        [ERROR, "first"],
      ],
      "task",
    );
    await saver.putWrites(
      config,
      [
        ["a", "second"],
        [INTERRUPT, "second"],
      ],
      "task",
    );
    const { pendingWrites } = await readTuple(savers, config);
    expect(pendingWrites).toEqual([
      ["task", INTERRUPT, "second"],
      ["task", ERROR, "first"],
      ["task", "a", "first"],
    ]);
  });

  it("pending writes come by task path, then task, then index, compared by code point", async () => {
    await using savers = await openSavers(driver);
    const saver = savers.saver();
    const config = await put(saver, savers.run.thread_id, { values: {} });
    await saver.putWrites(config, [["a", 1]], "t1", "~b");
    await saver.putWrites(config, [["a", 2]], "t2", "\u{1F600}");
    await saver.putWrites(config, [["a", 3]], "t3", "\uffee");
    await saver.putWrites(
      config,
      [
        ["a", 4],
        ["b", 5],
      ],
      "Z",
    );
    await saver.putWrites(config, [["a", 6]], "a");
    const { pendingWrites } = await readTuple(savers, config);
    expect(pendingWrites?.map(([, , value]) => value)).toEqual([
      4, 5, 6, 1, 3, 2,
    ]);
  });

  it("writes may come before the checkpoint that they belong to", async () => {
    await using savers = await openSavers(driver);
    const saver = savers.saver();
    const { thread_id } = savers.run;
    const checkpoint_id = "1f000000-0000-6000-8000-000000000001";
    const config = {
      configurable: { thread_id, checkpoint_ns: "", checkpoint_id },
    };
    await saver.putWrites(
      config,
      [
        ["a", new Uint8Array([1])],
        ["b", undefined],
      ],
      "task",
    );
    await saver.put(
      { configurable: { thread_id } },
      {
        v: 4,
        id: checkpoint_id,
        ts: "",
        channel_values: {},
        channel_versions: {},
        versions_seen: {},
      },
      { source: "loop", step: 0, parents: {} },
      {},
    );
    expect((await readTuple(savers, config)).pendingWrites).toEqual([
      ["task", "a", new Uint8Array([1])],
      ["task", "b", undefined],
    ]);
  });

  it("puts of many namespaces at once do not disturb each other", async () => {
    await using savers = await openSavers(driver);
    const saver = savers.saver();
    const { thread_id } = savers.run;
    const namespaces = Array.from(
      { length: 20 },
      (_, index) => `child:${index}`,
    );
    const configs = await Promise.all(
      namespaces.map((checkpoint_ns, index) =>
        put(saver, thread_id, {
          checkpoint_ns,
          values: { shared: messages(80), own: messages(index) },
        }),
      ),
    );
    for (const [index, config] of configs.entries())
      expect(
        (await readTuple(savers, config)).checkpoint.channel_values,
      ).toEqual({
        shared: messages(80),
        own: messages(index),
      });
  });

  it("listing goes on over several requests, newest first", async () => {
    await using savers = await openSavers(driver);
    const saver = savers.saver();
    const { thread_id } = savers.run;
    for (let index = 0; index < 45; index += 1)
      await put(saver, thread_id, {
        values: { index, list: messages(index) },
        metadata: { odd: index % 2 === 1 },
      });
    const list = async (options: object) => {
      const found: unknown[] = [];
      for await (const { checkpoint } of savers
        .saver()
        .list({ configurable: { thread_id } }, options))
        found.push(checkpoint.channel_values["index"]);
      return found;
    };
    const all = Array.from({ length: 45 }, (_, index) => 44 - index);
    expect(await list({})).toEqual(all);
    expect(await list({ limit: 25 })).toEqual(all.slice(0, 25));
    expect(await list({ filter: { odd: true } })).toEqual(
      all.filter((index) => index % 2 === 1),
    );
    expect(await list({ limit: 0 })).toEqual([]);
  });

  it("a run may save to another thread that exists, and hears of one that does not", async () => {
    await using savers = await openSavers(driver);
    const { database } = savers;
    const other = await database.transaction((tx) => insertThread(tx));
    const saver = savers.saver();
    const config = await put(saver, other, { values: { a: 1 } });
    expect((await readTuple(savers, config)).checkpoint.channel_values).toEqual(
      {
        a: 1,
      },
    );
    await expect(
      put(saver, "5a35ce02-0000-4000-8000-000000000000", { values: {} }),
    ).rejects.toThrow(
      "Thread with ID 5a35ce02-0000-4000-8000-000000000000 not found",
    );
  });

  it("deleting a thread's checkpoints through the saver leaves those of others", async () => {
    await using savers = await openSavers(driver);
    const { database, run } = savers;
    const other = await database.transaction((tx) => insertRunningRun(tx));
    const mine = await put(savers.saver(), run.thread_id, {
      values: { list: messages(10) },
    });
    const theirs = await put(savers.saver(other), other.thread_id, {
      values: { list: messages(10) },
    });
    const saver = savers.saver();
    await saver.deleteThread(run.thread_id);
    expect(await saver.getTuple(mine)).toBeUndefined();
    expect(
      (await readTuple(savers, theirs)).checkpoint.channel_values["list"],
    ).toEqual(messages(10));
  });
});
