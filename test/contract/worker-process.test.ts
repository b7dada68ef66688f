import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { sql } from "../../src/storage/sql.ts";
import { waitFor } from "../support/wait.ts";
import { WorkerBench } from "../support/worker-bench.ts";

let bench: WorkerBench;

beforeAll(async () => {
  bench = await WorkerBench.spawned();
  await bench.load({
    steps: "steps.ts:graph",
    chat: "chat.ts:graph",
    "step-then-block": "step-then-block.ts:graph",
  });
});

afterAll(() => bench[Symbol.asyncDispose]());

const input = (mode: string) => ({ mode, log: [] });

const linesOf = (runId: string | null) =>
  bench.logs
    .filter(({ run_id }) => run_id === runId)
    .map(({ stream, text }) => `${stream}: ${text}`);

describe("what a graph prints", () => {
  it("arrives in lines with the run it belongs to, and harms no frame", async () => {
    const [one, two] = await Promise.all([
      bench.run("steps", { input: input("print") }),
      bench.run("steps", { input: input("print") }),
    ]);
    expect(one.outcome.status).toBe("success");
    const expected = [
      "stderr: to stderr",
      "stdout: hello from a",
      "stdout: no line end",
    ];
    expect(linesOf(one.run.run_id).sort()).toEqual(expected);
    expect(linesOf(two.run.run_id).sort()).toEqual(expected);
  });

  it("includes the stack of an exception, in lines of the source", async () => {
    const { run } = await bench.run("steps", { input: input("fail") });
    const lines = linesOf(run.run_id);
    expect(lines[0]).toBe("stderr: CustomError: Boo!");
    expect(lines[1]).toMatch(/steps\.ts:27:\d+/);
  });
});

describe("a step", () => {
  it.each([true, false])(
    "is stored before the next one starts, even one that blocks the process (watched: %s)",
    async (watched) => {
      const run = await bench.claimed(
        "step-then-block",
        { input: { ms: 4000 } },
        { watched },
      );
      const execution = bench.execute(run);
      let hasEnded = false;
      void execution.then(() => (hasEnded = true));
      await waitFor("the checkpoint after the first step", () =>
        bench.database
          .query(
            sql`
          select 1 from checkpoints
          where run_id = ${run.run_id} and ${bench.database.dialect.jsonContains(sql`metadata`, { step: 1 })}`,
          )
          .then((rows) => rows.length === 1),
      );
      expect(hasEnded).toBe(false);
      expect((await execution).status).toBe("success");
    },
  );

  it("that ends an unwatched run is sent with its end", async () => {
    const run = await bench.claimed(
      "step-then-block",
      { input: { ms: 0 } },
      { watched: false },
    );
    const { events, writes } = await bench.report(run);
    const steps = writes.flatMap((write) =>
      write.kind === "put" ? [write.record.metadata["step"]] : [],
    );
    expect(steps).toEqual([2]);
    expect(events.map(([name]) => name)).toEqual(["values"]);
  });
});

describe("mistakes of a graph", () => {
  it("in a promise that nobody waits for are logged and end nothing", async () => {
    const { outcome } = await bench.run("steps", { input: input("reject") });
    expect(outcome.status).toBe("success");
    await vi.waitFor(() =>
      expect(bench.logs.map(({ text }) => text)).toContain(
        "Error: nobody waits for me",
      ),
    );
  });

  it("in a timer are logged and end nothing", async () => {
    const { outcome } = await bench.run("steps", {
      input: input("throw later"),
    });
    expect(outcome.status).toBe("success");
    await vi.waitFor(() =>
      expect(bench.logs.map(({ text }) => text)).toContain("Error: in a timer"),
    );
  });
});

describe("messages of a model", () => {
  it("arrive token by token in mode messages-tuple", async () => {
    const { events } = await bench.run("chat", {
      input: { messages: [{ role: "user", content: "hi", id: "q" }] },
      stream_mode: ["messages-tuple"],
    });
    expect(new Set(events.map(([name]) => name))).toEqual(
      new Set(["messages"]),
    );
    const messages = events.map(
      ([, data]) =>
        data as [{ type: string; content: string; id: string }, object],
    );
    expect(messages.map(([{ content }]) => content).join("")).toBe("heydone");
    const ids = messages.slice(0, -1).map(([{ id }]) => id);
    expect(new Set(ids).size).toBe(1);
    expect(messages[0]?.[1]).toMatchObject({ langgraph_node: "model" });
    expect(messages.at(-1)?.[0]).toMatchObject({ type: "tool", id: "tool-1" });
  });

  it("grow in mode messages, and are complete once in the state", async () => {
    const { events } = await bench.run("chat", {
      input: { messages: [{ role: "user", content: "hi", id: "q" }] },
      stream_mode: ["messages"],
    });
    const names = events.map(([name]) => name);
    expect(new Set(names)).toEqual(
      new Set(["messages/metadata", "messages/partial", "messages/complete"]),
    );
    const of = (name: string) =>
      events
        .filter(([event]) => event === name)
        .flatMap(([, data]) => data as { content: string; type: string }[]);
    expect(of("messages/partial").map(({ content }) => content)).toContain(
      "he",
    );
    expect(of("messages/partial").at(-1)?.content).toBe("hey");
    expect(names.filter((name) => name === "messages/metadata").length).toBe(1);
    expect(of("messages/complete").map(({ type }) => type)).toEqual([
      "human",
      "ai",
      "tool",
    ]);
    expect(names.at(-1)).toBe("messages/complete");
  });
});

describe("the process", () => {
  it("ignores the signals that a terminal and a service manager send to all", async () => {
    bench.child?.kill("SIGINT");
    bench.child?.kill("SIGTERM");
    const { outcome } = await bench.run("steps", { input: input("") });
    expect(outcome.status).toBe("success");
  });

  it("ends when the pipe closes, with a run in it", async () => {
    const own = await WorkerBench.spawned();
    await own.load({ steps: "steps.ts:graph" });
    const run = await own.claimed("steps", { input: input("hang") });
    const ended = own.execute(run).catch((error: Error) => error.name);
    await vi.waitUntil(() => own.events(run).length > 0);
    const exited = new Promise((resolve) => own.child?.once("exit", resolve));
    own.closePipe();
    expect(await exited).toBe(0);
    expect(await ended).toBe("PeerClosedError");
    await own[Symbol.asyncDispose]();
  });
});
