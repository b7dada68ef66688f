import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { Command } from "@langchain/langgraph";
import { ANONYMOUS } from "../../src/auth/caller.ts";
import { uuid7 } from "../../src/lib/uuid.ts";
import { EMPTY_STATE } from "../../src/model/thread-state.ts";
import { getState } from "../../src/services/state.ts";
import { upsertAssistant } from "../../src/storage/assistants.ts";
import { openStateBench, type StateBench } from "../support/state-bench.ts";

let bench: StateBench;
beforeAll(async () => {
  bench = await openStateBench();
});
afterAll(() => bench[Symbol.asyncDispose]());

describe("the newest state of a thread", () => {
  it("is empty before the first run", async () => {
    expect(await bench.state(await bench.thread())).toEqual(EMPTY_STATE);
    expect(await bench.state(await bench.thread("linear"))).toEqual(
      EMPTY_STATE,
    );
  });

  it("is that of the last checkpoint once the graph has ended", async () => {
    const thread = await bench.thread("linear");
    await bench.run(thread, { topic: "rain" });
    const state = await bench.state(thread);
    expect(state).toMatchObject({
      values: { topic: "rain", log: ["first about rain", "second about rain"] },
      next: [],
      tasks: [],
      interrupts: [],
      metadata: {
        source: "loop",
        step: 2,
        thread_id: thread,
        graph_id: "linear",
      },
      checkpoint: {
        thread_id: thread,
        checkpoint_ns: "",
        checkpoint_map: null,
      },
      parent_checkpoint: { thread_id: thread, checkpoint_ns: "" },
    });
    expect(Date.parse(state.created_at ?? "")).not.toBeNaN();
    expect(state.parent_checkpoint?.checkpoint_id).not.toBe(
      state.checkpoint?.checkpoint_id,
    );
  });

  it("tells which node waits, and for what", async () => {
    const thread = await bench.thread("approval");
    await bench.run(thread, { topic: "rain" });
    const waiting = { id: expect.any(String), value: "Is rain fine?" };
    expect(await bench.state(thread)).toMatchObject({
      next: ["ask"],
      tasks: [
        {
          id: expect.any(String),
          name: "ask",
          path: ["__pregel_pull", "ask"],
          error: null,
          interrupts: [waiting],
          checkpoint: null,
          state: null,
          result: null,
        },
      ],
      interrupts: [waiting],
    });
  });

  it("tells the message of an error, and what the tasks beside it gave", async () => {
    const thread = await bench.thread("fan-out");
    const run = bench.run(thread, { words: ["a", "boom", "ccc"] });
    await expect(run).rejects.toThrow("boom has no length");
    const { tasks } = await bench.state(thread);
    expect(tasks).toMatchObject([
      { path: ["__pregel_push", 0, false], result: { lengths: { a: 1 } } },
      {
        path: ["__pregel_push", 1, false],
        error: "boom has no length",
        result: null,
      },
      { path: ["__pregel_push", 2, false], result: { lengths: { ccc: 3 } } },
    ]);
  });

  it("has messages as clients expect them", async () => {
    const thread = await bench.thread("chat");
    await bench.run(thread, {
      messages: [{ role: "user", content: "hi", id: "u" }],
    });
    const { values } = await bench.state(thread);
    expect(values).toMatchObject({
      messages: [
        { type: "human", id: "u", content: "hi" },
        { type: "ai", tool_calls: [{ id: "call-1", name: "weather" }] },
        { type: "tool", tool_call_id: "call-1" },
        { type: "ai", content: "it is sunny" },
      ],
    });
  });

  it("does not tell who asked for the run that made it", async () => {
    const thread = await bench.thread("linear");
    await bench.run(
      thread,
      { topic: "rain" },
      {
        metadata: {
          langgraph_auth_user_id: "ada",
          langgraph_auth_permissions: ["x"],
          langgraph_request_id: "r-1",
          checkpoint_ns: "",
          tag: "shown",
        },
      },
    );
    const { metadata } = await bench.state(thread);
    expect(metadata).toMatchObject({ tag: "shown", source: "loop" });
    expect(Object.keys(metadata ?? {}).join()).not.toMatch(
      /auth|request|checkpoint_ns/,
    );
  });

  it("is read by the graph that the thread's assistant configures", async () => {
    const assistant_id = uuid7();
    await bench.database.transaction((tx) =>
      upsertAssistant(tx, assistant_id, {
        graph_id: "by-config",
        name: "special",
        description: null,
        // Neither of the last two is an assistant's to say.
        config: {
          configurable: {
            node: "special",
            checkpoint_id: uuid7(),
            __pregel_checkpointer: "mine",
          },
        },
        context: {},
        metadata: {},
      }),
    );
    const thread = await bench.thread("by-config", { assistant_id });
    await bench.update(thread, { said: "by hand" }, { as_node: "special" });
    expect(await bench.state(thread)).toMatchObject({
      values: { said: "by hand" },
      next: [],
      metadata: { assistant_id, graph_id: "by-config" },
    });
  });

  it("is not there for whom the thread is not, nor for an unknown thread", async () => {
    const thread = await bench.thread("linear", { owner: "ada" });
    const read = (owner: string) =>
      getState(
        bench,
        { ...ANONYMOUS, access: { owner } },
        { thread_id: thread, subgraphs: false },
      );
    await expect(read("ada")).resolves.toEqual(EMPTY_STATE);
    await expect(read("bob")).rejects.toMatchObject({
      code: "not_found",
      message: `Thread with ID ${thread} not found`,
    });
    await expect(bench.state(uuid7())).rejects.toMatchObject({
      code: "not_found",
    });
  });

  it("names the graph that langgraph.json does not have any more", async () => {
    const thread = await bench.thread("linear");
    await bench.run(thread, { topic: "rain" });
    const { checkpoint } = await bench.state(thread);
    const orphan = await bench.thread("gone");
    await expect(bench.update(orphan, null)).rejects.toMatchObject({
      code: "not_found",
      message: 'Graph "gone" not found',
    });
    expect(checkpoint).not.toBeNull();
  });
});

describe("the state at a checkpoint", () => {
  it("is the one that was current then", async () => {
    const thread = await bench.thread("linear");
    await bench.run(thread, { topic: "rain" });
    const states = await bench.history(thread);
    const steps = [];
    for (const { checkpoint } of states) {
      const { checkpoint_id } = checkpoint ?? {};
      const state = await bench.state(thread, {
        checkpoint: { checkpoint_id },
      });
      expect(state.checkpoint?.checkpoint_id).toBe(checkpoint_id);
      steps.push(state.metadata?.["step"]);
    }
    expect(steps).toEqual([2, 1, 0, -1]);
  });

  it("is not found when the thread has no such checkpoint", async () => {
    const [here, there] = [
      await bench.thread("linear"),
      await bench.thread("linear"),
    ];
    await bench.run(here, { topic: "rain" });
    await bench.run(there, { topic: "snow" });
    const { checkpoint } = await bench.state(there);
    for (const checkpoint_id of [checkpoint?.checkpoint_id, uuid7()])
      await expect(
        bench.state(here, { checkpoint: { checkpoint_id } }),
      ).rejects.toMatchObject({
        code: "not_found",
        message: `Checkpoint ${checkpoint_id} of thread ${here} not found`,
      });
    await expect(
      bench.state(await bench.thread(), {
        checkpoint: { checkpoint_id: uuid7() },
      }),
    ).rejects.toMatchObject({ code: "not_found" });
  });
});

describe("the state of a subgraph", () => {
  let thread: string;
  beforeEach(async () => {
    thread = await bench.thread("nested");
    await bench.run(thread, { city: "sf" });
  });

  it("is named by the task that waits in it", async () => {
    const { tasks, next } = await bench.state(thread);
    expect(next).toEqual(["forecaster"]);
    expect(tasks).toMatchObject([
      {
        name: "forecaster",
        path: ["__pregel_pull", "forecaster"],
        state: null,
      },
    ]);
    const [task] = tasks;
    expect(task?.checkpoint).toEqual({
      thread_id: thread,
      checkpoint_ns: `forecaster:${task?.id}`,
    });
  });

  it("is part of the task when it is asked for", async () => {
    const { tasks } = await bench.state(thread, { subgraphs: true });
    const checkpoint_ns = `forecaster:${tasks[0]?.id}`;
    expect(tasks).toMatchObject([
      {
        name: "forecaster",
        checkpoint: null,
        interrupts: [{ value: "Weather in SF (checked)?" }],
        state: {
          values: { city: "SF (checked)" },
          next: ["predict"],
          tasks: [{ name: "predict", path: ["__pregel_pull", "predict"] }],
          checkpoint: {
            thread_id: thread,
            checkpoint_ns,
            checkpoint_id: expect.any(String),
            checkpoint_map: {
              "": expect.any(String),
              [checkpoint_ns]: expect.any(String),
            },
          },
          interrupts: [{ value: "Weather in SF (checked)?" }],
        },
      },
    ]);
  });

  it("is found by its namespace alone, and at each of its checkpoints", async () => {
    const { tasks } = await bench.state(thread);
    const { checkpoint_ns } = tasks[0]?.checkpoint ?? {};
    const newest = await bench.state(thread, { checkpoint: { checkpoint_ns } });
    expect(newest).toMatchObject({
      values: { city: "SF (checked)" },
      next: ["predict"],
      checkpoint: { checkpoint_ns },
    });
    const { checkpoint_id } = newest.parent_checkpoint ?? {};
    expect(
      await bench.state(thread, {
        checkpoint: { checkpoint_ns, checkpoint_id },
      }),
    ).toMatchObject({ values: { city: "SF" }, next: ["look"] });
  });

  it("is empty before the subgraph has started", async () => {
    const checkpoint_ns = `forecaster:${uuid7()}`;
    expect(
      await bench.state(thread, { checkpoint: { checkpoint_ns } }),
    ).toEqual(EMPTY_STATE);
  });
});

describe("reading a state again", () => {
  const asksWhile = async (read: () => Promise<unknown>): Promise<number> => {
    const before = bench.asked.length;
    await read();
    return bench.asked.slice(before).filter((method) => method === "state.get")
      .length;
  };

  it("asks no worker while nothing has changed", async () => {
    const thread = await bench.thread("linear");
    await bench.run(thread, { topic: "rain" });
    const first = await bench.state(thread);
    const { checkpoint_id } = first.parent_checkpoint ?? {};
    const earlier = await bench.state(thread, {
      checkpoint: { checkpoint_id },
    });
    expect(
      await asksWhile(async () => {
        expect(await bench.state(thread)).toEqual(first);
        expect(
          await bench.state(thread, { checkpoint: { checkpoint_id } }),
        ).toEqual(earlier);
      }),
    ).toBe(0);
  });

  it("sees an update", async () => {
    const thread = await bench.thread("linear");
    await bench.run(thread, { topic: "rain" });
    await bench.state(thread);
    await bench.update(thread, { topic: "snow" }, { as_node: "second" });
    expect(await bench.state(thread)).toMatchObject({
      values: { topic: "snow" },
    });
  });

  it("sees that a task waits for another answer than before", async () => {
    const thread = await bench.thread("approval");
    await bench.run(thread, { topic: "rain" });
    expect((await bench.state(thread)).interrupts).toMatchObject([
      { value: "Is rain fine?" },
    ]);
    await bench.run(thread, new Command({ resume: "yes" }));
    expect((await bench.state(thread)).interrupts).toMatchObject([
      { value: "Sure about rain?" },
    ]);
  });

  it("sees what moved in a subgraph only", async () => {
    const thread = await bench.thread("nested");
    await bench.run(thread, { city: "sf" });
    const { tasks } = await bench.state(thread, { subgraphs: true });
    const checkpoint_ns = `forecaster:${tasks[0]?.id}`;
    await bench.update(
      thread,
      { city: "LA" },
      { checkpoint: { checkpoint_ns }, as_node: "look" },
    );
    const again = await bench.state(thread, { subgraphs: true });
    expect(again.tasks[0]?.state?.values).toEqual({ city: "LA" });
  });
});
