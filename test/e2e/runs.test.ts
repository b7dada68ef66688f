import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { NOBODY, refusal, TIMESTAMP, UUID } from "../support/sdk.ts";
import { useServer } from "../support/server.ts";
import { waitFor } from "../support/wait.ts";

const server = useServer();

const text = { text: "many hands make light work" };
const measured = { ...text, lengths: [4, 5, 4, 5, 4], total: 22 };

test("a background run is pending, then runs, then has succeeded", async () => {
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  const created = await runs.create(thread_id, "slow", {
    input: { steps: 2, seconds: 0.2 },
    metadata: { part: 1 },
  });
  expect(created).toMatchObject({
    run_id: expect.stringMatching(UUID),
    thread_id,
    assistant_id: expect.stringMatching(UUID),
    created_at: expect.stringMatching(TIMESTAMP),
    updated_at: expect.stringMatching(TIMESTAMP),
    status: "pending",
    metadata: { part: 1 },
    multitask_strategy: "enqueue",
    kwargs: {
      input: { steps: 2, seconds: 0.2 },
      stream_mode: ["values"],
    },
  });
  expect(created).not.toHaveProperty("kwargs.protocol");
  expect((await threads.get(thread_id)).status).toBe("busy");
  await waitFor("the run starts", async () => {
    const { status } = await runs.get(thread_id, created.run_id);
    return status === "running";
  });
  expect(await runs.join(thread_id, created.run_id)).toMatchObject({
    done: [1, 2],
  });
  const ended = await runs.get(thread_id, created.run_id);
  expect(ended).toEqual({
    ...created,
    status: "success",
    updated_at: ended.updated_at,
  });
  expect(await threads.get(thread_id)).toMatchObject({
    status: "idle",
    values: { done: [1, 2] },
    metadata: { graph_id: "slow", assistant_id: created.assistant_id },
  });
});

test("wait answers with the final values", async () => {
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  let created: unknown;
  const values = await runs.wait(thread_id, "fan-out", {
    input: text,
    onRunCreated: (run) => (created = run),
  });
  expect(values).toEqual(measured);
  const [run] = await runs.list(thread_id);
  expect(created).toEqual({ thread_id, run_id: run?.run_id });
  expect((await threads.get(thread_id)).values).toEqual(measured);
});

test("the answers of a run say where it is", async () => {
  const { thread_id } = await server.client.threads.create();
  const where = async (path: string) => {
    const answer = await server.send("POST", `/threads/${thread_id}${path}`, {
      assistant_id: "fan-out",
      input: text,
    });
    await answer.text();
    return [
      answer.headers.get("content-location"),
      answer.headers.get("location"),
    ];
  };
  const run = new RegExp(
    `^/threads/${thread_id}/runs/${UUID.source.slice(1, -1)}`,
  );
  const [created] = await where("/runs");
  expect(created).toMatch(new RegExp(`${run.source}$`));
  const waited = await where("/runs/wait");
  expect(waited[0]).toMatch(new RegExp(`${run.source}$`));
  expect(waited[1]).toBe(`${waited[0]}/join`);
  const streamed = await where("/runs/stream");
  expect(streamed[0]).toMatch(new RegExp(`${run.source}$`));
  expect(streamed[1]).toBe(`${streamed[0]}/stream`);
});

test("messages accumulate in a thread over its runs", async () => {
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  const say = async (content: string) => {
    const values = await runs.wait(thread_id, "agent", {
      input: { messages: [{ role: "user", content }] },
    });
    return (values as { messages: { type: string; content: string }[] })
      .messages;
  };
  const first = await say("hello");
  expect(first).toMatchObject([
    { type: "human", content: "hello", id: expect.any(String) },
    {
      type: "ai",
      content: 'You said "hello". That was message 1 from you in this thread.',
    },
  ]);
  const second = await say("What is the weather in Lisbon?");
  expect(second.slice(0, 2)).toEqual(first);
  expect(second.slice(2)).toMatchObject([
    { type: "human", content: "What is the weather in Lisbon?" },
    {
      type: "ai",
      content: "",
      tool_calls: [{ name: "get_weather", args: { city: "Lisbon" } }],
    },
    { type: "tool", content: "windy, 25 °C", name: "get_weather" },
    { type: "ai", content: "The weather report says: windy, 25 °C." },
  ]);
});

test("what one user tells is known in the user's other threads, and in no one else's", async () => {
  const { threads, runs } = server.client;
  const tell = async (user_id: string, input: Record<string, unknown>) => {
    const { thread_id } = await threads.create();
    return runs.wait(thread_id, "memory", {
      input,
      config: { configurable: { user_id } },
    });
  };
  const [ada, bob] = [randomUUID(), randomUUID()];
  await tell(ada, { fact: "likes tea" });
  await tell(ada, { fact: "plays chess" });
  expect(await tell(ada, { question: "?" })).toMatchObject({
    answer: "likes tea; plays chess",
  });
  expect(await tell(bob, { question: "?" })).toMatchObject({
    answer: "Nothing yet.",
  });
});

test("a thread that is missing is refused, or created with the run", async () => {
  const { threads, runs } = server.client;
  const threadId = randomUUID();
  const missing = {
    status: 404,
    detail: `Thread with ID ${threadId} not found`,
  };
  expect(
    await refusal(runs.create(threadId, "fan-out", { input: text })),
  ).toEqual(missing);
  expect(
    await refusal(runs.wait(threadId, "fan-out", { input: text })),
  ).toEqual(missing);
  const values = await runs.wait(threadId, "fan-out", {
    input: text,
    ifNotExists: "create",
    metadata: { origin: "run" },
  });
  expect(values).toEqual(measured);
  expect((await threads.get(threadId)).metadata).toMatchObject({
    graph_id: "fan-out",
    origin: "run",
  });
});

test("an assistant that does not exist is named", async () => {
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  for (const id of ["nobody", NOBODY])
    expect(await refusal(runs.wait(thread_id, id, { input: text }))).toEqual({
      status: 404,
      detail: `No assistant found for "${id}". Make sure the assistant ID is for a valid assistant or a valid graph ID.`,
    });
  expect(await runs.list(thread_id)).toEqual([]);
  expect((await threads.get(thread_id)).status).toBe("idle");
});

test("runs are listed newest first, by status and by page", async () => {
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  const ids: string[] = [];
  for (let n = 0; n < 3; n += 1) {
    const run = await runs.create(thread_id, "fan-out", { input: text });
    ids.unshift(run.run_id);
    await runs.join(thread_id, run.run_id);
  }
  const other = await threads.create();
  await runs.wait(other.thread_id, "fan-out", { input: text });
  const list = async (options: Parameters<typeof runs.list>[1]) =>
    (await runs.list(thread_id, options)).map(({ run_id }) => run_id);
  expect(await list({})).toEqual(ids);
  expect(await list({ limit: 2 })).toEqual(ids.slice(0, 2));
  expect(await list({ limit: 2, offset: 2 })).toEqual(ids.slice(2));
  expect(await list({ status: "success" })).toEqual(ids);
  expect(await list({ status: "pending" })).toEqual([]);
  const [row] = await runs.list(thread_id, { select: ["run_id", "status"] });
  expect(row).toEqual({ run_id: ids[0], status: "success" });
  const tooMany = await server.fetch(`/threads/${thread_id}/runs?limit=1001`);
  expect(tooMany.status).toBe(422);
});

test("a run that does not exist is not found, nor is one of another thread", async () => {
  const { threads, runs } = server.client;
  const [mine, other] = [await threads.create(), await threads.create()];
  const run = await runs.create(other.thread_id, "fan-out", { input: text });
  const missing = { status: 404, detail: "Run not found" };
  for (const id of [NOBODY, run.run_id]) {
    expect(await refusal(runs.get(mine.thread_id, id))).toEqual(missing);
    expect(await refusal(runs.cancel(mine.thread_id, id))).toEqual(missing);
    const joined = await refusal(runs.join(mine.thread_id, id));
    expect(joined.status).toBe(404);
  }
});

test("join of a finished run answers at once with the values of its thread", async () => {
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  const run = await runs.create(thread_id, "fan-out", { input: text });
  expect(await runs.join(thread_id, run.run_id)).toEqual(measured);
  expect(await runs.join(thread_id, run.run_id)).toEqual(measured);
});

test("a run with a delay counts as pending until its time comes", async () => {
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  const start = Date.now();
  const run = await runs.create(thread_id, "fan-out", {
    input: text,
    afterSeconds: 1,
  });
  expect(run.status).toBe("pending");
  expect((await threads.get(thread_id)).status).toBe("busy");
  expect(await runs.join(thread_id, run.run_id)).toEqual(measured);
  expect(Date.now() - start).toBeGreaterThan(950);
  const { created_at } = await runs.get(thread_id, run.run_id);
  expect(Date.parse(created_at)).toBeLessThan(start + 900);
});

test("static breakpoints stop a run, and null input goes on", async () => {
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  const stopped = await runs.wait(thread_id, "fan-out", {
    input: text,
    interruptBefore: ["sum"],
  });
  expect(stopped).toMatchObject({ lengths: [4, 5, 4, 5, 4] });
  expect(stopped).not.toHaveProperty("total");
  expect(await threads.get(thread_id)).toMatchObject({
    status: "interrupted",
    interrupts: {},
  });
  expect((await threads.getState(thread_id)).next).toEqual(["sum"]);
  expect(await runs.wait(thread_id, "fan-out", { input: null })).toEqual(
    measured,
  );
});

test("wrong fields are refused by name, unknown ones ignored", async () => {
  const { thread_id } = await server.client.threads.create();
  const url = `/threads/${thread_id}/runs/wait`;
  const body = { assistant_id: "fan-out", input: text };
  const wrong: [field: string, change: object][] = [
    ["assistant_id", { assistant_id: 1 }],
    ["stream_mode", { stream_mode: "everything" }],
    ["multitask_strategy", { multitask_strategy: "push" }],
    ["after_seconds", { after_seconds: -1 }],
    ["if_not_exists", { if_not_exists: "maybe" }],
    ["durability", { durability: "eternal" }],
  ];
  for (const [field, change] of wrong) {
    const answer = await server.send("POST", url, { ...body, ...change });
    const { detail } = (await answer.json()) as { detail: string };
    expect([answer.status, detail]).toEqual([
      422,
      expect.stringMatching(new RegExp(`^${field}`)),
    ]);
  }
  const lenient = await server.send("POST", url, {
    ...body,
    favourite: "blue",
  });
  expect(await lenient.json()).toEqual(measured);
});

test("durability exit stores only the end of a run", async () => {
  const { threads, runs } = server.client;
  const historyOf = async (durability: "exit" | "async" | "sync") => {
    const { thread_id } = await threads.create();
    const values = await runs.wait(thread_id, "fan-out", {
      input: text,
      durability,
    });
    expect(values).toEqual(measured);
    return (await threads.getHistory(thread_id)).length;
  };
  expect(await historyOf("exit")).toBe(1);
  expect(await historyOf("async")).toBe(4);
  expect(await historyOf("sync")).toBe(4);
});
