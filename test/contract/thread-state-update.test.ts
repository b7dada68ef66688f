import { Command } from "@langchain/langgraph";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ANONYMOUS } from "../../src/auth/caller.ts";
import { uuid7 } from "../../src/lib/uuid.ts";
import type { RunKwargs } from "../../src/model/run.ts";
import { updateState } from "../../src/services/state-update.ts";
import { insertRun } from "../../src/storage/runs.ts";
import { json, sql } from "../../src/storage/sql.ts";
import { openStateBench, type StateBench } from "../support/state-bench.ts";

let bench: StateBench;
beforeAll(async () => {
  bench = await openStateBench();
});
afterAll(() => bench[Symbol.asyncDispose]());

async function ran(graph_id: string, input: unknown): Promise<string> {
  const thread = await bench.thread(graph_id);
  await bench.run(thread, input);
  return thread;
}

describe("updating the state of a thread", () => {
  it("makes a checkpoint on top of the newest, as if the node had run", async () => {
    const thread = await ran("linear", { topic: "rain" });
    const before = await bench.state(thread);
    const made = await bench.update(
      thread,
      { log: ["by hand"] },
      { as_node: "first" },
    );
    const after = await bench.state(thread);
    expect(after).toMatchObject({
      values: { log: ["first about rain", "second about rain", "by hand"] },
      next: ["second"],
      metadata: {
        source: "update",
        step: 3,
        thread_id: thread,
        graph_id: "linear",
      },
      parent_checkpoint: before.checkpoint,
    });
    expect(after.checkpoint).toEqual(made);
  });

  it("leaves the thread's row as its state is", async () => {
    const thread = await ran("linear", { topic: "rain" });
    const before = await bench.row(thread);
    await bench.update(thread, { topic: "snow" }, { as_node: "first" });
    const waiting = await bench.row(thread);
    expect(waiting).toMatchObject({
      status: "interrupted",
      values: { topic: "snow" },
      interrupts: {},
    });
    expect(waiting.state_updated_at > before.state_updated_at).toBe(true);
    await bench.update(thread, null, { as_node: "second" });
    expect(await bench.row(thread)).toMatchObject({
      status: "idle",
      error: null,
    });
  });

  it("works on a thread that knows its graph but has not run", async () => {
    const thread = await bench.thread("linear");
    await bench.update(thread, { topic: "rain" }, { as_node: "__start__" });
    expect(await bench.state(thread)).toMatchObject({
      values: { topic: "rain" },
      next: ["first"],
    });
    await bench.run(thread, null);
    expect(await bench.state(thread)).toMatchObject({
      values: { log: ["first about rain", "second about rain"] },
      next: [],
    });
  });

  it("takes the last node that ran when none is named", async () => {
    const thread = await ran("linear", { topic: "rain" });
    await bench.update(thread, { log: ["more"] });
    expect(await bench.state(thread)).toMatchObject({ next: [] });
  });

  it("goes on waiting when the update is not the waiting node's", async () => {
    const thread = await ran("approval", { topic: "rain" });
    await bench.update(thread, { topic: "snow" }, { as_node: "__start__" });
    expect(await bench.row(thread)).toMatchObject({
      status: "interrupted",
      interrupts: {},
    });
    await bench.run(thread, null);
    expect(await bench.row(thread)).toMatchObject({
      values: { topic: "snow" },
    });
    expect(Object.values((await bench.row(thread)).interrupts)).toMatchObject([
      [{ value: "Is snow fine?" }],
    ]);
  });

  it("clears what waits with null as END", async () => {
    const thread = await ran("approval", { topic: "rain" });
    expect(await bench.row(thread)).toMatchObject({ status: "interrupted" });
    await bench.update(thread, null, { as_node: "__end__" });
    expect(await bench.state(thread)).toMatchObject({
      next: [],
      tasks: [],
      interrupts: [],
    });
    expect(await bench.row(thread)).toMatchObject({
      status: "idle",
      interrupts: {},
    });
  });

  it("forks from the checkpoint that is named", async () => {
    const thread = await ran("linear", { topic: "rain" });
    const history = await bench.history(thread);
    const base = history[1]?.checkpoint;
    await bench.update(
      thread,
      { log: ["other"] },
      {
        as_node: "second",
        checkpoint: { checkpoint_id: base?.checkpoint_id },
      },
    );
    expect(await bench.state(thread)).toMatchObject({
      values: { log: ["first about rain", "other"] },
      parent_checkpoint: base,
    });
    const after = await bench.history(thread);
    expect(
      after.slice(1).map(({ checkpoint, values }) => ({ checkpoint, values })),
    ).toEqual(
      history.map(({ checkpoint, values }) => ({ checkpoint, values })),
    );
  });

  it("changes a subgraph by its namespace, and the graph goes on from there", async () => {
    const thread = await ran("nested", { city: "sf" });
    const { tasks } = await bench.state(thread);
    const { checkpoint_ns } = tasks[0]?.checkpoint ?? {};
    const made = await bench.update(
      thread,
      { forecast: "fog" },
      {
        checkpoint: { checkpoint_ns },
        as_node: "predict",
      },
    );
    expect(made).toMatchObject({
      thread_id: thread,
      checkpoint_ns,
      checkpoint_id: expect.any(String),
    });
    const nested = await bench.state(thread, { subgraphs: true });
    expect(nested.tasks[0]?.state).toMatchObject({
      values: { forecast: "fog" },
      next: [],
    });
    expect(await bench.row(thread)).toMatchObject({
      status: "interrupted",
      values: { city: "SF" },
    });
    await bench.run(thread, null);
    expect(await bench.row(thread)).toMatchObject({
      status: "idle",
      values: { forecast: "fog" },
    });
  });

  it("takes messages as clients write them", async () => {
    const thread = await ran("chat", {
      messages: [{ role: "user", content: "hi", id: "u" }],
    });
    await bench.update(
      thread,
      { messages: [{ type: "human", content: "hello", id: "u" }] },
      { as_node: "agent" },
    );
    const { values } = await bench.state(thread);
    expect(values).toMatchObject({
      messages: [{ type: "human", id: "u", content: "hello" }, {}, {}, {}],
    });
  });

  it("stores only what is new of a long list", async () => {
    const thread = await bench.thread("linear");
    const log = Array.from({ length: 500 }, (_, index) =>
      `line ${index} `.repeat(20),
    );
    await bench.update(thread, { log }, { as_node: "second" });
    const countValues = async () => {
      const [row] = await bench.database.query<{ total: number }>(
        sql`select count(*) as total from checkpoint_values where thread_id = ${thread}`,
      );
      return row?.total ?? 0;
    };
    const before = await countValues();
    await bench.update(
      thread,
      { log: ["x ".repeat(200)] },
      { as_node: "second" },
    );
    expect((await countValues()) - before).toBeLessThan(6);
    const { values } = await bench.state(thread);
    expect(values).toEqual({ log: [...log, "x ".repeat(200)] });
  });
});

describe("updates at the same time", () => {
  it("all arrive, one after the other", async () => {
    const thread = await ran("linear", { topic: "rain" });
    const lines = Array.from({ length: 8 }, (_, index) => `line ${index}`);
    await Promise.all(
      lines.map((line) =>
        bench.update(thread, { log: [line] }, { as_node: "second" }),
      ),
    );
    const { values } = await bench.state(thread);
    const { log } = values as { log: string[] };
    expect(log.slice(2).sort()).toEqual(lines.sort());
    const history = await bench.history(thread);
    const parents = history.map(
      ({ parent_checkpoint }) => parent_checkpoint?.checkpoint_id,
    );
    expect(new Set(parents).size).toBe(history.length);
  });
});

describe("an update that cannot be", () => {
  const refused = (code: string, message: unknown) => ({ code, message });

  /** What the update answers, provided that it left the thread as it was. */
  async function unchanged(thread: string, update: () => Promise<unknown>) {
    const before = [await bench.row(thread), await bench.history(thread)];
    try {
      return await update();
    } finally {
      const after = [await bench.row(thread), await bench.history(thread)];
      expect(after).toEqual(before);
    }
  }

  it("names the node that is not there", async () => {
    const thread = await ran("linear", { topic: "rain" });
    await expect(
      unchanged(thread, () => bench.update(thread, {}, { as_node: "third" })),
    ).rejects.toMatchObject(
      refused("invalid", 'as_node: Node "third" does not exist'),
    );
  });

  it("asks for the node when it could be several", async () => {
    const thread = await ran("fork", {});
    await expect(
      unchanged(thread, () => bench.update(thread, { log: ["more"] })),
    ).rejects.toMatchObject(
      refused("invalid", 'as_node: Ambiguous update, specify "as_node"'),
    );
  });

  it("names values that the node could not have returned", async () => {
    const thread = await ran("linear", { topic: "rain" });
    await expect(
      unchanged(thread, () =>
        bench.update(thread, [{ topic: "snow" }], { as_node: "second" }),
      ),
    ).rejects.toMatchObject(
      refused(
        "invalid",
        expect.stringMatching(
          /^values: Expected node "second" to return an object/,
        ),
      ),
    );
  });

  it("names values that a reducer does not take", async () => {
    const thread = await ran("chat", {
      messages: [{ role: "user", content: "hi" }],
    });
    await expect(
      unchanged(thread, () =>
        bench.update(
          thread,
          { messages: [{ role: "nobody" }] },
          { as_node: "agent" },
        ),
      ),
    ).rejects.toMatchObject(
      refused(
        "invalid",
        expect.stringMatching(/^values: (?!.*Troubleshooting)/s),
      ),
    );
  });

  it("names the subgraph and the checkpoint that are not there", async () => {
    const thread = await ran("nested", { city: "sf" });
    await expect(
      unchanged(thread, () =>
        bench.update(
          thread,
          {},
          { checkpoint: { checkpoint_ns: "other:1" }, as_node: "look" },
        ),
      ),
    ).rejects.toMatchObject(
      refused(
        "invalid",
        'checkpoint.checkpoint_ns: Subgraph "other" not found',
      ),
    );
    const checkpoint_id = uuid7();
    await expect(
      unchanged(thread, () =>
        bench.update(
          thread,
          {},
          { checkpoint: { checkpoint_id }, as_node: "route" },
        ),
      ),
    ).rejects.toMatchObject(
      refused(
        "not_found",
        `Checkpoint ${checkpoint_id} of thread ${thread} not found`,
      ),
    );
  });

  it("is refused where there is no graph, or no thread", async () => {
    const thread = await bench.thread();
    await expect(bench.update(thread, {})).rejects.toMatchObject(
      refused("bad_request", `Thread ${thread} has no graph ID`),
    );
    const missing = uuid7();
    await expect(bench.update(missing, {})).rejects.toMatchObject(
      refused("not_found", `Thread ${missing} not found`),
    );
    const hidden = await bench.thread("linear", { owner: "ada" });
    const bob = { ...ANONYMOUS, access: { owner: "bob" } };
    await expect(
      updateState(bench, bob, hidden, {
        update: { values: null },
        checkpoint: undefined,
      }),
    ).rejects.toMatchObject(refused("not_found", `Thread ${hidden} not found`));
  });
});

describe("a thread with a run", () => {
  const addRun = (thread_id: string, q: "ready" | "behind" | "delayed") =>
    bench.database.transaction((tx) =>
      insertRun(tx, {
        run_id: uuid7(),
        thread_id,
        assistant_id: uuid7(),
        graph_id: "linear",
        seq: 1,
        q,
        multitask_strategy: "enqueue",
        afterMs: 60_000,
        keeps_events: true,
        webhook: null,
        max_attempts: 1,
        kwargs: {} as RunKwargs,
        metadata: {},
      }),
    );

  it.each(["ready", "behind", "delayed"] as const)(
    "is not updated while the run is %s, and no worker is asked",
    async (q) => {
      const thread = await ran("linear", { topic: "rain" });
      await addRun(thread, q);
      const asked = bench.asked.length;
      await expect(
        bench.update(thread, {}, { as_node: "second" }),
      ).rejects.toMatchObject({
        code: "conflict",
        message: "Thread is busy",
      });
      expect(bench.asked).toHaveLength(asked);
    },
  );

  it("is not updated when the run came while a worker thought", async () => {
    const thread = await ran("linear", { topic: "rain" });
    const before = await bench.history(thread);
    const overtaken = {
      database: bench.database,
      workers: {
        graphs: () => bench.workers.graphs(),
        ask: async (...asked: Parameters<StateBench["workers"]["ask"]>) => {
          const answer = await bench.workers.ask(...asked);
          await addRun(thread, "ready");
          return answer;
        },
      } as StateBench["workers"],
    };
    await expect(
      updateState(overtaken, ANONYMOUS, thread, {
        update: { values: {}, as_node: "second" },
        checkpoint: undefined,
      }),
    ).rejects.toMatchObject({ code: "conflict", message: "Thread is busy" });
    expect(await bench.history(thread)).toEqual(before);
  });

  it("is updated once the run is over", async () => {
    const thread = await ran("linear", { topic: "rain" });
    await addRun(thread, "ready");
    await bench.database.transaction((tx) =>
      tx.query(
        sql`update runs set q = 'done', error = ${json(null)} where thread_id = ${thread}`,
      ),
    );
    await expect(
      bench.update(thread, {}, { as_node: "second" }),
    ).resolves.toBeDefined();
  });
});

it("a resumed task sees an update made while it waited", async () => {
  const thread = await ran("approval", { topic: "rain" });
  await bench.run(thread, new Command({ resume: "yes" }));
  await bench.run(thread, new Command({ resume: "sure" }));
  await bench.update(thread, { answers: ["late"] }, { as_node: "ask" });
  await bench.run(thread, null);
  expect(await bench.row(thread)).toMatchObject({
    values: { answers: ["yes", "sure", "done", "late", "done"] },
  });
});
