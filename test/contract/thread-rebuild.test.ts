import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ANONYMOUS } from "../../src/auth/caller.ts";
import type { JsonObject } from "../../src/lib/json.ts";
import { uuid7 } from "../../src/lib/uuid.ts";
import { threadCreate } from "../../src/model/thread-requests.ts";
import type { ThreadState } from "../../src/model/thread-state.ts";
import { copyThread } from "../../src/services/thread-copy.ts";
import { createThread } from "../../src/services/thread-create.ts";
import { sql } from "../../src/storage/sql.ts";
import { getThread } from "../../src/storage/threads.ts";
import { openStateBench, type StateBench } from "../support/state-bench.ts";
import { deps } from "../support/threads.ts";

describe("threads made of history, with graphs that run", () => {
  let bench: StateBench;
  beforeAll(async () => void (bench = await openStateBench()));
  afterAll(() => bench[Symbol.asyncDispose]());

  const create = (supersteps: unknown, body: object = {}) =>
    createThread(
      deps(bench.database, bench.workers),
      ANONYMOUS,
      threadCreate.parse({
        metadata: { graph_id: "linear" },
        supersteps,
        ...body,
      }),
    );
  const input = {
    updates: [{ values: { topic: "tea" }, as_node: "__input__" }],
  };
  const start = {
    updates: [{ values: { topic: "tea" }, as_node: "__start__" }],
  };
  const shape = ({ values, next, metadata }: ThreadState) => ({
    values,
    next,
    step: metadata?.["step"],
  });

  test("supersteps rebuild the history of a run, step by step", async () => {
    const ran = await bench.thread("linear");
    const updates = await bench.run(ran, { topic: "tea" });
    const steps = updates.map((update) => ({
      updates: Object.entries(update).map(([as_node, values]) => ({
        values,
        as_node,
      })),
    }));
    const made = await create([input, start, ...steps]);
    const [original, rebuilt] = [
      await bench.history(ran),
      await bench.history(made.thread_id),
    ];
    expect(original).toHaveLength(4);
    expect(rebuilt.map(shape)).toEqual(original.map(shape));
    const row = await bench.row(ran);
    expect(made).toMatchObject({
      values: row.values,
      status: "idle",
      interrupts: {},
    });
  });

  test("supersteps that stop half-way leave a thread that waits for its next node", async () => {
    const { thread_id, status, values } = await create([input, start]);
    expect({ status, values }).toEqual({
      status: "interrupted",
      values: { topic: "tea", log: [] },
    });
    expect((await bench.state(thread_id)).next).toEqual(["first"]);
    await bench.run(thread_id, null);
    expect((await bench.row(thread_id)).values).toEqual({
      topic: "tea",
      log: ["first about tea", "second about tea"],
    });
  });

  test.each([0, 1, 3])(
    "a superstep that fails as number %i leaves nothing at all",
    async (index) => {
      const thread_id = uuid7();
      const supersteps: object[] = [
        input,
        start,
        { updates: [{ values: {}, as_node: "first" }] },
      ];
      supersteps.splice(index, 0, {
        updates: [{ values: {}, as_node: "nowhere" }],
      });
      await expect(create(supersteps, { thread_id })).rejects.toMatchObject({
        code: "invalid",
        message: expect.stringMatching(
          new RegExp(`supersteps\\[${index}\\]\\.updates\\[0\\].*nowhere`, "s"),
        ),
      });
      expect(await getThread(bench.database, thread_id, null)).toBeNull();
      for (const table of [
        sql`checkpoints`,
        sql`checkpoint_values`,
        sql`checkpoint_writes`,
      ])
        expect(
          await bench.database.query(
            sql`select 1 from ${table} where thread_id = ${thread_id}`,
          ),
        ).toEqual([]);
      expect((await create([input], { thread_id })).thread_id).toBe(thread_id);
    },
  );

  test("an unknown graph is not found", async () => {
    const unknown = create([input], { metadata: { graph_id: "nothing" } });
    await expect(unknown).rejects.toMatchObject({
      code: "not_found",
      message: expect.stringContaining("nothing"),
    });
  });

  test("a copy has the same history under its own id, and a future of its own", async () => {
    const from = await bench.thread("approval");
    await bench.run(from, { topic: "tea" });
    const { thread_id } = await copyThread(
      deps(bench.database),
      ANONYMOUS,
      from,
    );
    const [original, copied] = [
      await bench.history(from),
      await bench.history(thread_id),
    ];
    expect(copied).toEqual(renamed(original, from, thread_id));
    expect(copied[0]?.interrupts).toHaveLength(1);
    await bench.update(thread_id, null, { as_node: "__end__" });
    expect(await bench.history(from)).toEqual(original);
  });
});

/** What the history would be, were it the history of another thread. */
const renamed = (
  history: ThreadState[],
  from: string,
  to: string,
): JsonObject[] =>
  JSON.parse(JSON.stringify(history).replaceAll(from, to)) as JsonObject[];
