import { Command } from "@langchain/langgraph";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ANONYMOUS } from "../../src/auth/caller.ts";
import { uuid7 } from "../../src/lib/uuid.ts";
import type { ThreadState } from "../../src/model/thread-state.ts";
import { getHistory } from "../../src/services/state-history.ts";
import { openStateBench, type StateBench } from "../support/state-bench.ts";

let bench: StateBench;
beforeAll(async () => {
  bench = await openStateBench();
});
afterAll(() => bench[Symbol.asyncDispose]());

const steps = (states: ThreadState[]) =>
  states.map(({ metadata }) => metadata?.["step"]);

/** Two runs of four checkpoints each. */
async function twoRuns(): Promise<string> {
  const thread = await bench.thread("linear");
  await bench.run(
    thread,
    { topic: "rain" },
    { metadata: { run: "one", tags: ["a"] } },
  );
  await bench.run(
    thread,
    { topic: "snow" },
    { metadata: { run: "two", tags: ["a", "b"] } },
  );
  return thread;
}

describe("the history of a thread", () => {
  it("is empty before the first run", async () => {
    expect(await bench.history(await bench.thread())).toEqual([]);
    expect(await bench.history(await bench.thread("linear"))).toEqual([]);
  });

  it("has every state, the newest first, each the parent of the one before", async () => {
    const history = await bench.history(await twoRuns());
    expect(steps(history)).toEqual([6, 5, 4, 3, 2, 1, 0, -1]);
    expect(history.map(({ parent_checkpoint }) => parent_checkpoint)).toEqual([
      ...history.slice(1).map(({ checkpoint }) => checkpoint),
      null,
    ]);
    expect(history.map(({ next }) => next)).toEqual([
      [],
      ["second"],
      ["first"],
      ["__start__"],
      [],
      ["second"],
      ["first"],
      ["__start__"],
    ]);
  });

  it("tells of each state what asking for that state tells", async () => {
    const thread = await bench.thread("approval");
    await bench.run(thread, { topic: "rain" });
    await bench.run(thread, new Command({ resume: "yes" }));
    await bench.run(thread, new Command({ resume: "sure" }));
    const history = await bench.history(thread);
    expect(history).toHaveLength(4);
    for (const state of history) {
      const { checkpoint_id } = state.checkpoint ?? {};
      expect(
        await bench.state(thread, { checkpoint: { checkpoint_id } }),
      ).toEqual(state);
    }
  });

  it("tells what each task gave", async () => {
    const thread = await bench.thread("fan-out");
    await bench.run(thread, { words: ["a", "bb"] });
    const history = await bench.history(thread);
    expect(
      history.map(({ tasks }) =>
        tasks.map(({ name, result }) => ({ name, result })),
      ),
    ).toEqual([
      [],
      [{ name: "sum", result: { total: 3 } }],
      [
        { name: "measure", result: { lengths: { a: 1 } } },
        { name: "measure", result: { lengths: { bb: 2 } } },
      ],
      [{ name: "__start__", result: { words: ["a", "bb"] } }],
    ]);
  });

  it("ends at the limit", async () => {
    const thread = await twoRuns();
    expect(steps(await bench.history(thread, { limit: 3 }))).toEqual([6, 5, 4]);
  });

  it("goes on before a checkpoint, which is not part of it", async () => {
    const thread = await twoRuns();
    const [, , third] = await bench.history(thread);
    const before = third?.checkpoint?.checkpoint_id;
    expect(steps(await bench.history(thread, { before, limit: 2 }))).toEqual([
      3, 2,
    ]);
  });

  it("has only the states whose metadata contains what was asked for", async () => {
    const thread = await twoRuns();
    const ask = async (metadata: Parameters<StateBench["history"]>[1]) =>
      steps(await bench.history(thread, metadata));
    expect(await ask({ metadata: { run: "one" } })).toEqual([2, 1, 0, -1]);
    expect(await ask({ metadata: { tags: ["b"] } })).toEqual([6, 5, 4, 3]);
    expect(await ask({ metadata: { tags: ["b"], source: "input" } })).toEqual([
      3,
    ]);
    expect(await ask({ metadata: { run: "three" } })).toEqual([]);
    expect(await ask({ metadata: {} })).toHaveLength(8);
  });

  it("is longer than one answer of the checkpoint store", async () => {
    const thread = await bench.thread("linear");
    for (let count = 0; count < 30; count += 1)
      await bench.update(thread, { log: [`${count}`] }, { as_node: "second" });
    expect(await bench.history(thread)).toHaveLength(30);
    expect(await bench.history(thread, { limit: 25 })).toHaveLength(25);
  });

  it("is that of a subgraph when its namespace is given", async () => {
    const thread = await bench.thread("nested");
    await bench.run(thread, { city: "sf" });
    const root = await bench.history(thread);
    const checkpoint_ns = root[0]?.tasks[0]?.checkpoint?.checkpoint_ns;
    const history = await bench.history(thread, {
      checkpoint: { checkpoint_ns },
    });
    expect(root.map(({ next }) => next)).toEqual([
      ["forecaster"],
      ["route"],
      ["__start__"],
    ]);
    expect(history.map(({ next }) => next)).toEqual([
      ["predict"],
      ["look"],
      ["__start__"],
    ]);
    expect(
      history.every(
        ({ checkpoint }) => checkpoint?.checkpoint_ns === checkpoint_ns,
      ),
    ).toBe(true);
    expect(
      await bench.history(thread, { checkpoint: { checkpoint_ns: "other:1" } }),
    ).toEqual([]);
  });

  it("is not there for whom the thread is not, nor for an unknown thread", async () => {
    const thread = await bench.thread("linear", { owner: "ada" });
    const read = (owner: string) =>
      getHistory(
        bench,
        { ...ANONYMOUS, access: { owner } },
        { thread_id: thread, limit: 1 },
      );
    await expect(read("ada")).resolves.toEqual([]);
    await expect(read("bob")).rejects.toMatchObject({
      code: "not_found",
      message: `Thread with ID ${thread} not found`,
    });
    await expect(bench.history(uuid7())).rejects.toMatchObject({
      code: "not_found",
    });
  });
});
