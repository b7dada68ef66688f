import { describe, expect, test } from "vitest";
import { collect } from "../support/sdk.ts";
import { useServer } from "../support/server.ts";

const server = useServer();

async function failed(
  graph: string,
  input: Record<string, unknown>,
  config: { recursion_limit?: number } = {},
) {
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  const values = await runs.wait(thread_id, graph, {
    input,
    config,
    raiseError: false,
  });
  const [run] = await runs.list(thread_id);
  return {
    thread_id,
    run_id: run?.run_id ?? "",
    status: run?.status,
    error: (values as { __error__?: { error: string; message: string } })
      .__error__,
    thread: await threads.get(thread_id),
    values,
  };
}

test("an exception ends its run, is told to who waits, and shows in the thread", async () => {
  const { error, status, thread } = await failed("failing", {
    item: "lamp",
    stock: 0,
  });
  expect(error).toEqual({ error: "OutOfStockError", message: "No lamp left" });
  expect(status).toBe("error");
  expect(thread.status).toBe("error");
  expect(JSON.stringify(thread.error)).toContain("No lamp left");
  // What the steps before it did is kept.
  expect(thread.values).toEqual({ item: "lamp", stock: 0, price: 40 });
});

test("the SDK raises what the graph threw", async () => {
  const { thread_id } = await server.client.threads.create();
  const wait = server.client.runs.wait(thread_id, "throws", {
    input: { kind: "custom" },
  });
  await expect(wait).rejects.toThrow("CustomError: Boo!");
});

test("the failed task shows its error in the state", async () => {
  const { thread_id } = await failed("failing", { item: "lamp", stock: 0 });
  const state = await server.client.threads.getState(thread_id);
  expect(state.next).toEqual(["ship"]);
  expect(state.tasks).toMatchObject([
    { name: "ship", error: expect.stringContaining("No lamp left") },
  ]);
});

test("a run with null input starts again at the node that failed", async () => {
  const { threads, runs } = server.client;
  const { thread_id } = await failed("failing", { item: "lamp", stock: 0 });
  await threads.updateState(thread_id, {
    values: { stock: 1 },
    asNode: "quote",
  });
  const values = await runs.wait(thread_id, "failing", { input: null });
  expect(values).toMatchObject({ receipt: "1 lamp, 40 euros" });
  const thread = await threads.get(thread_id);
  expect(thread.status).toBe("idle");
  expect(thread.error ?? null).toBeNull();
});

test("an error frame is the last word on what went wrong", async () => {
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  const frames = await collect(
    runs.stream(thread_id, "throws", { input: { kind: "custom" } }),
  );
  const error = frames.find(({ event }) => event === "error");
  expect(error?.data).toEqual({ error: "CustomError", message: "Boo!" });
  const after = frames.slice(frames.indexOf(error ?? frames[0]!) + 1);
  for (const { event, data } of after)
    expect([event, data]).toEqual([
      "end",
      expect.objectContaining({ status: "error" }),
    ]);
});

test("what no other language reads is left out of an error, live and afterwards", async () => {
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  const frames = await collect(
    runs.stream(thread_id, "throws", { input: { kind: "binary" } }),
  );
  const told = frames.find(({ event }) => event === "error")?.data;
  expect(told).toEqual({
    error: "CustomError",
    message: "half \ufffd and \ufffd",
  });
  expect((await threads.get(thread_id)).error).toEqual(told);
  const [run] = await runs.list(thread_id);
  expect(await runs.join(thread_id, run?.run_id ?? "")).toEqual({
    __error__: told,
  });
});

test("join of a failed run does not throw, and its status tells", async () => {
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  const { run_id } = await runs.create(thread_id, "throws", {
    input: { kind: "custom" },
  });
  await runs.join(thread_id, run_id);
  expect((await runs.get(thread_id, run_id)).status).toBe("error");
});

test("a graph that goes round for ever is stopped by its limit", async () => {
  const { error, status } = await failed(
    "throws",
    { kind: "recursion" },
    { recursion_limit: 5 },
  );
  expect(error?.error).toBe("GraphRecursionError");
  expect(error?.message).toContain("5");
  expect(status).toBe("error");
});

describe("whatever a node throws is an error of its run, and of nothing else", () => {
  test.each([
    ["type", "TypeError", "not a function"],
    ["circular", "CustomError", "round and round"],
    ["cause", "CustomError", "outer"],
    ["lines", "CustomError", "first line\nsecond line\r\nthird"],
    ["string", expect.any(String), expect.stringContaining("just a text")],
    ["object", expect.any(String), expect.stringContaining("an object")],
    ["nothing", expect.any(String), expect.any(String)],
  ])("%s", async (kind, error, message) => {
    const answer = await failed("throws", { kind });
    expect(answer.status).toBe("error");
    expect(answer.error).toEqual({ error, message });
    expect(answer.thread.values).toMatchObject({ before: "was here" });
  });
});

test.each(["function", "circular value"])(
  "a state that is no JSON (%s) leaves the server well",
  async (kind) => {
    const { thread_id, status } = await failed("throws", { kind });
    expect(["success", "error"]).toContain(status);
    expect((await server.fetch(`/threads/${thread_id}/state`)).status).toBe(
      200,
    );
    expect((await server.fetch(`/threads/${thread_id}`)).status).toBe(200);
  },
);

test("a value of several megabytes goes through, and back", async () => {
  const { values, status, thread_id } = await failed("huge", {
    megabytes: 8,
    pieces: 4,
  });
  expect(status).toBe("success");
  const { blobs } = values as { blobs: string[] };
  expect(blobs.map(({ length }) => length)).toEqual(
    Array.from({ length: 4 }, () => 2 * 1024 * 1024),
  );
  const state = await server.client.threads.getState(thread_id);
  expect(state.values).toEqual(values);
});

// A loaded machine may be slower once.
test(
  "while a graph blocks its CPU the server answers, and other runs go on",
  { retry: 2 },
  async () => {
    const { threads, runs } = server.client;
    const { thread_id } = await threads.create();
    const blocked = await runs.create(thread_id, "blocks", {
      input: { ms: 3000 },
    });
    const start = Date.now();
    const others = Array.from({ length: 6 }, async () => {
      const other = await threads.create();
      return runs.wait(other.thread_id, "fan-out", { input: { text: "a bc" } });
    });
    expect((await server.fetch("/ok")).status).toBe(200);
    expect(Date.now() - start).toBeLessThan(1000);
    for (const values of await Promise.all(others))
      expect(values).toMatchObject({ total: 3 });
    expect(await runs.join(thread_id, blocked.run_id)).toHaveProperty("turns");
  },
);

test("the error of a thread goes when its next run is accepted, and is back when that one is taken back before it starts", async () => {
  const { threads, runs } = server.client;
  const input = { item: "lamp", stock: 0 };
  const { thread_id } = await failed("failing", input);
  const { error } = await threads.get(thread_id);
  expect(error).toBeTruthy();
  const { run_id } = await runs.create(thread_id, "failing", {
    input,
    afterSeconds: 60,
  });
  expect(await threads.get(thread_id)).toMatchObject({
    status: "busy",
    error: null,
  });
  await runs.cancel(thread_id, run_id, true);
  expect(await threads.get(thread_id)).toMatchObject({
    status: "error",
    error,
  });
});

test("an answer that nobody waits for fails its run and leaves the thread as it was", async () => {
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  await runs.wait(thread_id, "approval", { input: { to: "Ada" } });
  const { status, values, interrupts, error } = await threads.get(thread_id);
  const answer = await server.send("POST", `/threads/${thread_id}/runs/wait`, {
    assistant_id: "approval",
    command: { resume: { ["0".repeat(32)]: "yes" } },
    strict_resume: true,
  });
  expect(await answer.json()).toMatchObject({
    __error__: { error: "UnknownInterruptError" },
  });
  const [run] = await runs.list(thread_id);
  expect(run?.status).toBe("error");
  expect(status).toBe("interrupted");
  expect(await threads.get(thread_id)).toMatchObject({
    status,
    values,
    interrupts,
    error,
  });
});
