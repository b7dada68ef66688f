import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RunOutcome } from "../../src/protocol/run-frames.ts";
import type { ThreadSnapshot } from "../../src/model/thread.ts";
import { WorkerBench, streamed } from "../support/worker-bench.ts";

let bench: WorkerBench;

beforeAll(async () => {
  bench = await WorkerBench.inProcess();
  await bench.load({
    steps: "steps.ts:graph",
    breaking: "steps.ts:breaking",
    questions: "steps.ts:questions",
    nested: "steps.ts:nested",
  });
});

afterAll(() => bench[Symbol.asyncDispose]());

const input = (mode: string) => ({ mode, log: [] });

const snapshotOf = (outcome: RunOutcome): ThreadSnapshot =>
  (outcome as { snapshot: ThreadSnapshot }).snapshot;

describe("interrupt()", () => {
  it("is a success with the question in the stream and in the snapshot", async () => {
    const { events, outcome } = await bench.run("steps", {
      input: input("ask"),
      stream_mode: ["values", "updates"],
    });
    const question = { id: expect.any(String), value: "really?" };
    expect(streamed(events).slice(1)).toEqual([
      ["updates", { __interrupt__: [question] }],
      ["values", { __interrupt__: [question] }],
    ]);
    expect(outcome).toEqual({
      status: "success",
      snapshot: {
        values: { log: [], mode: "ask" },
        next: ["a"],
        interrupts: {
          [Object.keys(snapshotOf(outcome).interrupts)[0] ?? ""]: [question],
        },
      },
    });
  });

  it("goes on with the answer of a command", async () => {
    const { run } = await bench.run("steps", { input: input("ask") });
    const { outcome } = await bench.run(
      "steps",
      { command: { resume: "yes" } },
      { thread_id: run.thread_id },
    );
    expect(snapshotOf(outcome)).toMatchObject({
      values: { log: ["answer:yes", "b"] },
      next: [],
      interrupts: {},
    });
  });

  it.each(["steps", "nested"])(
    "waits for the answer to the second question of a node (%s)",
    async (graph) => {
      const { run } = await bench.run(graph, { input: input("ask twice") });
      const answer = (resume: string) =>
        bench.run(graph, { command: { resume } }, { thread_id: run.thread_id });
      const { next, interrupts } = snapshotOf((await answer("yes")).outcome);
      expect(next).toHaveLength(1);
      expect(Object.values(interrupts).flat()).toEqual([
        { id: expect.any(String), value: "sure?" },
      ]);
      const { outcome } = await answer("I am");
      expect(snapshotOf(outcome)).toMatchObject({ interrupts: {} });
      expect(JSON.stringify(snapshotOf(outcome).values)).toContain("yes, I am");
    },
  );

  it("takes a map of answers for several questions, and keeps the one that is left", async () => {
    const { run, outcome } = await bench.run("questions", { input: input("") });
    const { interrupts } = snapshotOf(outcome);
    const asked = Object.values(interrupts).flat() as {
      id: string;
      value: string;
    }[];
    expect(asked.map(({ value }) => value).sort()).toEqual([
      "question 1",
      "question 2",
    ]);
    const [first, second] = asked;
    const half = await bench.run(
      "questions",
      { command: { resume: { [first?.id ?? ""]: "one" } } },
      { thread_id: run.thread_id },
    );
    expect(Object.values(snapshotOf(half.outcome).interrupts).flat()).toEqual([
      second,
    ]);
    const whole = await bench.run(
      "questions",
      { command: { resume: { [second?.id ?? ""]: "two" } } },
      { thread_id: run.thread_id },
    );
    expect(snapshotOf(whole.outcome)).toMatchObject({
      next: [],
      interrupts: {},
    });
  });

  it("refuses an answer to a question that nobody asked when resume is strict", async () => {
    const { run } = await bench.run("steps", { input: input("ask") });
    const { outcome } = await bench.run(
      "steps",
      { command: { resume: { ["0".repeat(32)]: "x" } }, strict_resume: true },
      { thread_id: run.thread_id },
    );
    expect(outcome).toMatchObject({
      status: "error",
      error: { error: "UnknownInterruptError" },
      snapshot: { next: ["a"], values: { log: [] } },
    });
  });

  it("works in a subgraph, which uses the checkpointer of its parent", async () => {
    const { run, outcome } = await bench.run("nested", { input: input("ask") });
    expect(Object.values(snapshotOf(outcome).interrupts).flat()).toEqual([
      { id: expect.any(String), value: "inner?" },
    ]);
    const resumed = await bench.run(
      "nested",
      { command: { resume: "deep" } },
      { thread_id: run.thread_id },
    );
    expect(snapshotOf(resumed.outcome).values).toMatchObject({
      log: ["in:deep"],
    });
  });
});

describe("static breakpoints", () => {
  it("stop with next set and no interrupts, and null input goes on", async () => {
    const { run, events, outcome } = await bench.run("steps", {
      input: input(""),
      interrupt_before: ["b"],
    });
    expect(events.at(-1)).toEqual(["values", { __interrupt__: [] }]);
    expect(snapshotOf(outcome)).toMatchObject({ next: ["b"], interrupts: {} });
    const rest = await bench.run("steps", {}, { thread_id: run.thread_id });
    expect(snapshotOf(rest.outcome)).toMatchObject({
      values: { log: ["a", "b"] },
      next: [],
    });
  });

  it("hold for every node with a star", async () => {
    const { outcome } = await bench.run("steps", {
      input: input(""),
      interrupt_after: "*",
    });
    expect(snapshotOf(outcome)).toMatchObject({
      values: { log: ["a"] },
      next: ["b"],
    });
  });

  it("still hold in the attempt after the one that had come to them", async () => {
    const run = await bench.claimed("breaking", { input: input("") });
    await bench.execute(run);
    const again = await bench.execute({ ...run, resume: true });
    expect(snapshotOf(again)).toMatchObject({
      values: { log: ["a"] },
      next: ["b"],
    });
  });
});

describe("commands", () => {
  it("update the state and run on from there", async () => {
    const { run } = await bench.run("steps", { input: input("") });
    const { outcome } = await bench.run(
      "steps",
      { command: { update: [["log", ["updated"]]], goto: "b" } },
      { thread_id: run.thread_id },
    );
    expect(snapshotOf(outcome).values).toMatchObject({
      log: ["a", "b", "updated", "b"],
    });
  });

  it("send input of its own to a node", async () => {
    const { run } = await bench.run("questions", { input: input("") });
    const { outcome } = await bench.run(
      "questions",
      { command: { goto: [{ node: "ask", input: { n: 7 } }] } },
      { thread_id: run.thread_id },
    );
    expect(
      Object.values(snapshotOf(outcome).interrupts)
        .flat()
        .map(({ value }) => value),
    ).toContain("question 7");
  });
});

describe("attempts", () => {
  it("that resume do not apply the input again", async () => {
    const run = await bench.claimed("steps", { input: input("ask") });
    await bench.execute(run);
    const again = await bench.execute({ ...run, resume: true });
    expect(snapshotOf(again)).toMatchObject({
      values: { log: [], mode: "ask" },
      next: ["a"],
    });
  });

  it("start from the checkpoint that is asked for", async () => {
    const { run, events } = await bench.run("steps", {
      input: input(""),
      stream_mode: ["checkpoints"],
    });
    const [, , afterA] = events.map(
      ([, data]) => data as { checkpoint: { checkpoint_id: string } },
    );
    const fork = await bench.run(
      "steps",
      {
        input: { log: ["forked"], mode: "" },
        config: {
          configurable: {
            checkpoint_id: afterA?.checkpoint.checkpoint_id ?? "",
          },
        },
      },
      { thread_id: run.thread_id },
    );
    expect(snapshotOf(fork.outcome).values).toMatchObject({
      log: ["a", "forked", "a", "b"],
    });
  });
});
