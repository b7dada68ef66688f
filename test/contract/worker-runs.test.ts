import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ThreadSnapshot } from "../../src/model/thread.ts";
import type { RunOutcome } from "../../src/protocol/run-frames.ts";
import { WorkerBench, streamed } from "../support/worker-bench.ts";

let bench: WorkerBench;

beforeAll(async () => {
  bench = await WorkerBench.inProcess();
  await bench.load({
    steps: "steps.ts:graph",
    limited: "steps.ts:limited",
    breaking: "steps.ts:breaking",
    questions: "steps.ts:questions",
    nested: "steps.ts:nested",
  });
});

afterAll(() => bench[Symbol.asyncDispose]());

const valuesOf = (outcome: RunOutcome) =>
  (outcome as { snapshot: ThreadSnapshot }).snapshot.values as {
    log: string[];
  };

const input = (mode: string) => ({ mode, log: [] });

describe("frames", () => {
  it("sends the state after the input and after every step in mode values", async () => {
    const { events, outcome } = await bench.run("steps", { input: input("") });
    expect(events).toEqual([
      ["values", { log: [], mode: "" }],
      ["values", { log: ["a"], mode: "" }],
      ["values", { log: ["a", "b"], mode: "" }],
    ]);
    expect(outcome).toEqual({
      status: "success",
      snapshot: {
        values: { log: ["a", "b"], mode: "" },
        next: [],
        interrupts: {},
      },
    });
  });

  it("sends what each node returned in mode updates, and no other frames", async () => {
    const { events } = await bench.run("steps", {
      input: input(""),
      stream_mode: ["updates"],
    });
    expect(events).toEqual([
      ["updates", { a: { log: ["a"] } }],
      ["updates", { b: { log: ["b"] } }],
    ]);
  });

  it("sends what a node writes in mode custom, whatever it is", async () => {
    const { events } = await bench.run("steps", {
      input: input("custom"),
      stream_mode: ["custom"],
    });
    expect(events).toEqual([
      ["custom", { note: "from a", at: "1970-01-01T00:00:00.000Z", big: "10" }],
    ]);
    const cycle = await bench.run("steps", {
      input: input("cycle"),
      stream_mode: ["custom"],
    });
    expect(cycle.events).toEqual([
      ["custom", { name: "c", self: "[object Object]" }],
    ]);
    expect(cycle.outcome.status).toBe("success");
  });

  it("interleaves modes in the order of production", async () => {
    const { events } = await bench.run("steps", {
      input: input("custom"),
      stream_mode: ["values", "updates", "custom"],
    });
    expect(events.map(([name]) => name)).toEqual([
      "values",
      "custom",
      "updates",
      "values",
      "updates",
      "values",
    ]);
  });

  it("names subgraph frames after their namespace, and only when asked for subgraphs", async () => {
    const asked = await bench.run("nested", {
      input: input(""),
      stream_mode: ["values", "custom"],
      subgraphs: true,
    });
    const names = new Set(streamed(asked.events).map(([name]) => name));
    expect([...names].filter((name) => name.includes("|")).length).toBe(2);
    for (const name of names)
      expect(name).toMatch(/^(values|custom)(\|outer:[0-9a-f-]{36})?$/);
    const root = await bench.run("nested", { input: input("") });
    expect(root.events.map(([name]) => name)).toEqual(["values", "values"]);
  });

  it("tells debug, tasks and checkpoints in the form of the API", async () => {
    const { events, run } = await bench.run("steps", {
      input: input(""),
      stream_mode: ["tasks", "checkpoints", "debug"],
      config: { configurable: { langgraph_auth_user: { identity: "ada" } } },
    });
    const of = (name: string) =>
      events.filter(([event]) => event === name).map(([, data]) => data);
    expect(of("checkpoints").length).toBe(4);
    expect(of("checkpoints")[0]).toMatchObject({
      metadata: { source: "input", step: -1 },
      next: ["__start__"],
      parent_checkpoint: null,
      checkpoint: { thread_id: run.thread_id, checkpoint_ns: "" },
    });
    expect(of("checkpoints")[1]).toMatchObject({
      next: ["a"],
      tasks: [{ name: "a", interrupts: [] }],
      parent_checkpoint: { thread_id: run.thread_id },
      parent_config: { configurable: { thread_id: run.thread_id } },
    });
    expect(of("tasks").slice(-2)).toMatchObject([
      { name: "b", input: {}, interrupts: [] },
      { name: "b", result: { log: ["b"] }, interrupts: [] },
    ]);
    expect(of("debug")[0]).toMatchObject({
      type: "checkpoint",
      payload: {
        checkpoint: { thread_id: run.thread_id },
        parent_config: null,
      },
    });
    expect(JSON.stringify(events)).not.toMatch(/__pregel_(?!pull)|auth_user/);
  });

  it("sends LangChain's events, and the modes asked for beside them", async () => {
    const { events } = await bench.run("steps", {
      input: input(""),
      stream_mode: ["events", "updates"],
    });
    const kinds = new Set(
      events.map(([name, data]) =>
        name === "events" ? (data as { event: string }).event : name,
      ),
    );
    expect(kinds).toEqual(
      new Set(["on_chain_start", "on_chain_end", "updates"]),
    );
    expect(events.filter(([name]) => name === "updates")).toEqual([
      ["updates", { a: { log: ["a"] } }],
      ["updates", { b: { log: ["b"] } }],
    ]);
  });

  it("sends no checkpoints of its own with events of subgraphs", async () => {
    const { events } = await bench.run("nested", {
      input: input(""),
      stream_mode: ["events", "values"],
      subgraphs: true,
    });
    const names = new Set(streamed(events).map(([name]) => name.split("|")[0]));
    expect(names).toEqual(new Set(["events", "values"]));
  });
});

describe("failures", () => {
  it("ends in error with the class and message of the exception, and the state it left", async () => {
    const { outcome } = await bench.run("steps", { input: input("fail") });
    expect(outcome).toMatchObject({
      status: "error",
      error: { error: "CustomError", message: "Boo!" },
      snapshot: { values: { mode: "fail" }, next: ["a"] },
    });
  });

  it("keeps the name of a recursion error, and the limit that the graph was bound with", async () => {
    const bound = await bench.run("limited", { input: input("loop") });
    expect(bound.outcome).toMatchObject({
      status: "error",
      error: {
        error: "GraphRecursionError",
        message: expect.stringContaining("limit of 3 reached"),
      },
    });
    const asked = await bench.run("limited", {
      input: input("loop"),
      config: { recursion_limit: 5 },
    });
    expect(asked.outcome).toMatchObject({
      error: { message: expect.stringContaining("limit of 5 reached") },
    });
  });

  it("ends in error for a graph that is not there", async () => {
    const { outcome } = await bench.run("unknown");
    expect(outcome).toMatchObject({
      status: "error",
      error: { message: 'Graph "unknown" not found' },
      snapshot: null,
    });
  });
});

describe("config", () => {
  it("gives the graph the ids of the run, and none of LangGraph's own keys from the request", async () => {
    const { outcome, run } = await bench.run("steps", {
      input: input("config"),
      config: {
        configurable: { color: "red", __pregel_resuming: true, run_id: "mine" },
      },
    });
    const values = valuesOf(outcome);
    const configurable = JSON.parse(values.log[0] ?? "") as object;
    expect(configurable).toMatchObject({
      color: "red",
      run_id: run.run_id,
      thread_id: run.thread_id,
      graph_id: "steps",
      assistant_id: run.assistant_id,
    });
  });

  it("gives the graph the run's metadata and context", async () => {
    const { outcome, run } = await bench.run(
      "steps",
      { input: input("metadata"), context: { tone: "dry" } },
      { metadata: { purpose: "test" } },
    );
    const values = valuesOf(outcome);
    const [metadata, context] = values.log
      .slice(0, 2)
      .map((text) => JSON.parse(text) as unknown);
    expect(metadata).toMatchObject({
      purpose: "test",
      run_id: run.run_id,
      run_attempt: 1,
      graph_id: "steps",
      langgraph_version: expect.stringMatching(/^\d+\.\d+/),
      langgraph_host: "self-hosted",
    });
    expect(context).toEqual({ tone: "dry" });
  });
});

describe("many at once", () => {
  it("runs twenty runs of one graph without mixing them", async () => {
    const runs = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        bench.run("steps", { input: input(`run ${index}`) }),
      ),
    );
    for (const [index, { events }] of runs.entries())
      expect(events.at(-1)).toEqual([
        "values",
        { log: ["a", "b"], mode: `run ${index}` },
      ]);
  });
});
