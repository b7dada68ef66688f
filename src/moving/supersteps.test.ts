import { expect, test } from "vitest";
import { rebuildHistory, type ForeignState } from "./supersteps.ts";

/** The states of a history, oldest first; each on top of the one before. */
async function rebuilt(...states: Partial<ForeignState>[]) {
  const history = states.map((state, index) => ({
    ...{ values: {}, next: [], tasks: [], metadata: { source: "loop" } },
    checkpoint: { checkpoint_id: `${index}` },
    parent_checkpoint: index === 0 ? null : { checkpoint_id: `${index - 1}` },
    ...state,
  }));
  async function* newestFirst() {
    yield* history.reverse();
  }
  return rebuildHistory(newestFirst());
}

const input = { metadata: { source: "input" }, next: ["__start__"] };
const update = { metadata: { source: "update" } };
const task = (name: string, result: ForeignState["values"]) => ({
  name,
  result,
});
const as = (as_node: string, values: unknown) => ({ as_node, values });

test("a run becomes its input, its start and the results of its tasks, step by step", async () => {
  const { candidates, branched } = await rebuilt(
    { ...input, tasks: [task("__start__", { topic: "tea" })] },
    { tasks: [task("plan", { plan: 1 })] },
    { tasks: [task("left", { a: 1 }), task("right", { b: 1 })] },
    {},
  );
  expect(branched).toBe(0);
  expect(candidates[0]).toEqual([
    { updates: [as("__input__", { topic: "tea" })] },
    { updates: [as("__start__", { topic: "tea" })] },
    { updates: [as("plan", { plan: 1 })] },
    { updates: [as("left", { a: 1 }), as("right", { b: 1 })] },
  ]);
});

test("what nodes have added to a list is taken from the state, where messages have their ids", async () => {
  const [one, two, three] = [{ id: 1 }, { id: 2 }, { id: 3 }];
  const { candidates } = await rebuilt(
    { ...input, tasks: [task("__start__", { list: ["raw"] })] },
    {
      values: { list: [one] },
      tasks: [task("a", { list: "raw" }), task("b", { list: ["raw"] })],
    },
    { values: { list: [one, two, three] } },
  );
  expect(candidates[0]?.slice(1)).toEqual([
    { updates: [as("__start__", { list: [one] })] },
    { updates: [as("a", { list: [two] }), as("b", { list: [three] })] },
  ]);
});

test("a list that did not just grow is left as the node has returned it", async () => {
  const { candidates } = await rebuilt(
    { values: { list: [1, 2] }, tasks: [task("a", { list: [3] })] },
    { values: { list: [3] } },
  );
  expect(candidates[0]?.at(-1)).toEqual({ updates: [as("a", { list: [3] })] });
});

test("states beside the line that leads to the newest one are counted, and left out", async () => {
  const { candidates, branched } = await rebuilt(
    { ...input, tasks: [task("__start__", { a: 1 })] },
    { tasks: [task("left", { a: 2 })] },
    { parent_checkpoint: { checkpoint_id: "0" }, values: { a: 1 } },
  );
  expect(branched).toBe(1);
  expect(candidates[0]).toEqual([
    { updates: [as("__input__", { a: 1 })] },
    { updates: [as("__start__", { a: 1 })] },
  ]);
});

test("an update is what has changed: for the task that was next, or for the node that was last", async () => {
  const { candidates } = await rebuilt(
    { ...input, tasks: [task("__start__", { list: [1] })] },
    { values: { list: [1], kept: true }, tasks: [task("a", { x: 1 })] },
    { values: { list: [1], kept: true, x: 1 }, tasks: [{ name: "b" }] },
    { ...update, values: { list: [1, 2], kept: true, x: 1 } },
  );
  const change = { list: [2] };
  expect(candidates[0]?.at(-1)).toEqual({ updates: [as("b", change)] });
  expect(candidates[1]?.at(-1)).toEqual({ updates: [as("a", change)] });
});

test("the nodes that are next can be named at the end, or that there are none", async () => {
  const states = [
    { ...input, tasks: [task("__start__", { a: 1 })] },
    { tasks: [task("go", { a: 2 })] },
  ];
  const waiting = await rebuilt(...states, { next: ["last"] });
  expect(waiting.candidates[2]?.at(-1)).toEqual({
    updates: [
      { ...as("go", null), command: { update: { a: 2 }, goto: ["last"] } },
    ],
  });
  const done = await rebuilt(...states, { next: [] });
  expect(done.candidates[2]?.at(-1)).toEqual({
    updates: [as("__end__", null)],
  });
});

test("a task that waits for an answer has returned nothing", async () => {
  const asks = { name: "ask", result: null, interrupts: [{ value: "?" }] };
  const { candidates } = await rebuilt(
    { ...input, tasks: [task("__start__", { a: 1 })] },
    { tasks: [asks, task("other", { b: 1 })] },
    {},
  );
  expect(candidates[0]?.at(-1)).toEqual({ updates: [as("other", { b: 1 })] });
});
