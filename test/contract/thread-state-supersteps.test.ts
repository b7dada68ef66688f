import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ANONYMOUS } from "../../src/auth/caller.ts";
import type { Json, JsonObject } from "../../src/lib/json.ts";
import { uuid7 } from "../../src/lib/uuid.ts";
import { threadCreate } from "../../src/model/thread-requests.ts";
import type { ThreadState } from "../../src/model/thread-state.ts";
import { createThread } from "../../src/services/thread-create.ts";
import { getThread } from "../../src/storage/threads.ts";
import { toWire } from "../../src/worker/wire-json.ts";
import { openStateBench, type StateBench } from "../support/state-bench.ts";

let bench: StateBench;
beforeAll(async () => {
  bench = await openStateBench();
});
afterAll(() => bench[Symbol.asyncDispose]());

interface Update {
  values?: Json;
  command?: JsonObject;
  as_node: string;
}

async function prepopulated(
  graph_id: string,
  supersteps: Update[][],
  thread_id = uuid7(),
) {
  const request = threadCreate.parse({
    thread_id,
    metadata: { graph_id },
    supersteps: supersteps.map((updates) => ({ updates })),
  });
  const { database, workers } = bench;
  return createThread(
    { database, workers, defaultTtl: null },
    ANONYMOUS,
    request,
  );
}

/** What must be the same in a history and in its rebuilt copy: all but ids, times and who made it. */
const comparable = (history: ThreadState[]) =>
  history.map(({ values, next, tasks, metadata, interrupts }) => ({
    values,
    next,
    interrupts,
    tasks: tasks.map(({ name, path }) => ({ name, path })),
    step: metadata?.["step"],
  }));

describe("supersteps", () => {
  it.each([
    ["linear", { topic: "rain" }],
    ["chat", { messages: [{ type: "human", content: "hi", id: "u" }] }],
  ])(
    "rebuild the history of %s from the updates of its run",
    async (graph_id, input) => {
      const original = await bench.thread(graph_id);
      const updates = await bench.run(original, input);
      const rebuilt = await prepopulated(graph_id, [
        [{ values: input, as_node: "__input__" }],
        [{ values: input, as_node: "__start__" }],
        ...updates.map((update) =>
          Object.entries(update).map(([as_node, values]) => ({
            values: toWire(values),
            as_node,
          })),
        ),
      ]);
      const [before, after] = [
        await bench.history(original),
        await bench.history(rebuilt.thread_id),
      ];
      expect(comparable(after)).toEqual(comparable(before));
      expect(after.map(({ metadata }) => metadata?.["source"])).toEqual([
        ...Array.from({ length: after.length - 1 }, () => "update"),
        "input",
      ]);
      expect(rebuilt).toMatchObject({
        status: "idle",
        values: (await bench.row(original)).values,
      });
    },
  );

  it("rebuild steps with several tasks", async () => {
    const input = { words: ["a", "bb"] };
    const original = await bench.thread("fan-out");
    await bench.run(original, input);
    const { thread_id } = await prepopulated("fan-out", [
      [{ values: input, as_node: "__input__" }],
      [{ values: input, as_node: "__start__" }],
      [
        { values: { lengths: { a: 1 } }, as_node: "measure" },
        { values: { lengths: { bb: 2 } }, as_node: "measure" },
      ],
      [{ values: { total: 3 }, as_node: "sum" }],
    ]);
    expect(comparable(await bench.history(thread_id))).toEqual(
      comparable(await bench.history(original)),
    );
  });

  it("leave the thread where the last of them left it", async () => {
    const thread = await prepopulated("linear", [
      [{ values: { topic: "rain" }, as_node: "__input__" }],
      [{ values: { topic: "rain" }, as_node: "__start__" }],
    ]);
    expect(thread).toMatchObject({
      status: "interrupted",
      values: { topic: "rain" },
    });
    await bench.run(thread.thread_id, null);
    expect(await bench.row(thread.thread_id)).toMatchObject({
      status: "idle",
      values: { log: ["first about rain", "second about rain"] },
    });
  });

  it("obey a command rather than values", async () => {
    const { thread_id } = await prepopulated("linear", [
      [{ values: { topic: "rain" }, as_node: "__start__" }],
      [
        {
          values: { log: ["not this"] },
          command: { update: { log: ["this"] }, goto: ["first"] },
          as_node: "first",
        },
      ],
    ]);
    const state = await bench.state(thread_id);
    expect(state.values).toEqual({ topic: "rain", log: ["this"] });
    expect(state.next.toSorted()).toEqual(["first", "second"]);
  });

  it("send with a command", async () => {
    const { thread_id } = await prepopulated("fan-out", [
      [
        {
          command: { goto: { node: "measure", input: { word: "four" } } },
          as_node: "sum",
        },
      ],
    ]);
    await bench.run(thread_id, null);
    expect((await bench.row(thread_id)).values).toMatchObject({
      lengths: { four: 4 },
      total: 4,
    });
  });

  it("end with null as END", async () => {
    const thread = await prepopulated("linear", [
      [{ values: { topic: "rain" }, as_node: "__start__" }],
      [{ as_node: "__end__" }],
    ]);
    expect(thread).toMatchObject({ status: "idle" });
    expect((await bench.state(thread.thread_id)).next).toEqual([]);
  });

  const START: Update[] = [{ values: { topic: "rain" }, as_node: "__start__" }];

  it.each<[string, Update[][], unknown]>([
    [
      "an unknown node",
      [START, [{ values: {}, as_node: "third" }]],
      'supersteps[1].updates[0].as_node: Node "third" does not exist',
    ],
    [
      "an unknown node among others",
      [
        [
          { values: { topic: "rain" }, as_node: "first" },
          { values: {}, as_node: "third" },
        ],
      ],
      'supersteps[0].updates[1].as_node: Node "third" does not exist',
    ],
    [
      "values that a node cannot return",
      [
        START,
        [
          { values: {}, as_node: "first" },
          { values: ["x"], as_node: "second" },
        ],
      ],
      expect.stringMatching(
        /^supersteps\[1\]\.updates\[1\]\.values: Expected node "second" to return an object/,
      ),
    ],
    [
      "updates that exclude each other",
      [
        [
          { values: { topic: "rain" }, as_node: "first" },
          { values: { topic: "snow" }, as_node: "second" },
        ],
      ],
      expect.stringMatching(/^supersteps\[0\]\.updates: .*[Ll]astValue/),
    ],
    [
      "an input beside another update",
      [
        [
          { values: { topic: "rain" }, as_node: "__input__" },
          { values: {}, as_node: "first" },
        ],
      ],
      "supersteps[0].updates: Cannot apply multiple updates when updating as input",
    ],
    [
      "a command that goes nowhere",
      [[{ command: { goto: [7] }, as_node: "first" }]],
      "supersteps[0].updates[0].command.goto: expected a node name or {node, input}, got 7",
    ],
  ])(
    "with %s leave no thread behind and say which update",
    async (_, supersteps, message) => {
      const thread_id = uuid7();
      await expect(
        prepopulated("linear", supersteps, thread_id),
      ).rejects.toMatchObject({
        code: "invalid",
        message,
      });
      expect(await getThread(bench.database, thread_id, null)).toBeNull();
    },
  );

  it("need a graph that is there", async () => {
    await expect(prepopulated("gone", [START])).rejects.toMatchObject({
      code: "not_found",
      message: 'Graph "gone" not found',
    });
  });
});
