import { expect, test } from "vitest";
import {
  ALL_CHANNELS,
  commanded,
  newThreadId,
  openSocket,
  reading,
  type WireEvent,
} from "../support/protocol.ts";
import { useServer } from "../support/server.ts";
import { waitFor } from "../support/wait.ts";

const server = useServer();

const HELLO = { messages: [{ role: "user", content: "hello there" }] };

const start = (threadId: string, assistant_id: string, input: unknown) =>
  commanded(server, threadId, "run.start", { assistant_id, input });

test("events have one order per thread, over all of its runs, and ids that name the run where clients read it", async () => {
  const threadId = newThreadId();
  const reader = await reading(server, threadId);
  const runs: string[] = [];
  for (let count = 1; count <= 2; count += 1) {
    const { result } = await start(threadId, "fan-out", { text: "a bc" });
    runs.push(String(result["run_id"]));
    await reader.runs(count);
  }
  const { seqs, events } = reader;
  expect(seqs[0]).toBe(1);
  expect(seqs).toEqual([...new Set(seqs)].sort((a, b) => a - b));
  const rootLifecycle = events.filter(
    ({ method, params }) =>
      method === "lifecycle" && params.namespace.length === 0,
  );
  expect(
    rootLifecycle.map(({ event_id, seq, params }) => [
      event_id.slice(0, -String(seq).length),
      params.data,
    ]),
  ).toEqual(
    runs.flatMap((run) =>
      ["running", "completed"].map((event) => [
        `synth:${run}:`,
        { event, graph_name: "fan-out" },
      ]),
    ),
  );
  const others = events.filter((event) => !rootLifecycle.includes(event));
  expect(others.map(({ event_id }) => event_id)).toEqual(
    others.map(({ seq }) => String(seq)),
  );
  expect(reader.isOver).toBe(false);
});

test("a run tells its states with their checkpoints, its updates, its tasks, and its messages in blocks", async () => {
  const threadId = newThreadId();
  const reader = await reading(server, threadId);
  await start(threadId, "agent", HELLO);
  await reader.runs();
  const methods = reader.events.map(({ method }) => method);
  expect(methods.slice(0, 3)).toEqual(["lifecycle", "checkpoints", "values"]);
  expect(methods.at(-1)).toBe("lifecycle");
  for (const [index, method] of methods.entries())
    if (method === "values") expect(methods[index - 1]).toBe("checkpoints");
  const steps = reader.data("checkpoints");
  expect(steps.map(({ step }) => step)).toEqual([0, 1]);
  expect(steps[1]?.["parent_id"]).toBe(steps[0]?.["id"]);
  expect(reader.of("updates").map(({ params }) => params)).toMatchObject([
    { node: "agent", data: { node: "agent", values: { messages: [{}] } } },
  ]);
  const blocks = reader.of("messages");
  expect(new Set(blocks.map(({ params }) => params.node))).toEqual(
    new Set(["agent"]),
  );
  expect(new Set(blocks.map(({ params }) => params.namespace.join()))).toEqual(
    new Set([expect.stringMatching(/^agent:[\da-f-]{36}$/)]),
  );
  const kinds = blocks.map(({ params }) => String(params.data["event"]));
  expect([...new Set(kinds)]).toEqual([
    "message-start",
    "content-block-start",
    "content-block-delta",
    "content-block-finish",
    "message-finish",
  ]);
  expect(
    kinds.filter((kind) => kind === "content-block-delta").length,
  ).toBeGreaterThan(3);
});

test("a tool tells when it starts and what it gives", async () => {
  const threadId = newThreadId();
  const reader = await reading(server, threadId, {
    channels: ["tools", "lifecycle"],
  });
  await start(threadId, "agent", {
    messages: [{ role: "user", content: "what is the weather in Paris?" }],
  });
  await reader.runs();
  expect(reader.data("tools")).toMatchObject([
    {
      event: "tool-started",
      tool_call_id: "call_1",
      tool_name: "get_weather",
    },
    {
      event: "tool-finished",
      tool_call_id: "call_1",
      output: { type: "tool" },
    },
  ]);
});

test("a subgraph is announced before its first event, and ends before its parent", async () => {
  const threadId = newThreadId();
  const reader = await reading(server, threadId);
  await start(threadId, "trip", { wish: "a weekend in Porto" });
  await reader.runs();
  const nested = reader.events.filter(({ params }) =>
    params.namespace[0]?.startsWith("booking:"),
  );
  expect(nested[0]).toMatchObject({
    method: "lifecycle",
    params: { data: { event: "started", graph_name: "booking" } },
  });
  expect(nested.at(-1)).toMatchObject({
    method: "lifecycle",
    params: { data: { event: "interrupted", graph_name: "booking" } },
  });
  expect(reader.of("input.requested")).toHaveLength(1);
  expect(reader.of("input.requested")[0]?.params).toMatchObject({
    namespace: nested[0]?.params.namespace,
    data: {
      payload: { question: "Which seat on the 9:30 to Porto?" },
      value: { question: "Which seat on the 9:30 to Porto?" },
    },
  });
  expect(JSON.stringify(reader.data("values"))).not.toContain("__interrupt__");
  expect(reader.events.at(-1)?.params.data).toMatchObject({
    event: "interrupted",
  });
});

test("the state is current when the end is told, and no checkpoint is younger than what follows it", async () => {
  const threadId = newThreadId();
  const reader = await reading(server, threadId);
  await start(threadId, "fan-out", { text: "a bc" });
  await waitFor(
    "the end",
    () => reader.events.at(-1)?.params.data["event"] === "completed",
  );
  const state = await server.client.threads.getState(threadId);
  const last = reader.of("values").at(-1);
  expect(state.values).toEqual(last?.params.data);
  expect(Date.parse(state.created_at ?? "")).toBeLessThanOrEqual(
    last?.params.timestamp ?? 0,
  );
});

test("a filter takes channels, namespaces, a depth and a number to go on from", async () => {
  const threadId = newThreadId();
  const whole = await reading(server, threadId);
  await start(threadId, "trip", { wish: "a weekend in Porto" });
  await whole.runs();
  const seen = async (filter: object): Promise<WireEvent[]> => {
    const expected = whole.events.filter(filters.get(filter) ?? (() => false));
    expect(expected.length).toBeGreaterThan(0);
    const reader = await reading(server, threadId, filter);
    await waitFor("the replay", () => reader.events.length >= expected.length);
    expect(reader.events).toEqual(expected);
    reader.leave();
    return reader.events;
  };
  const middle = whole.seqs[10] ?? 0;
  const filters = new Map<object, (event: WireEvent) => boolean>([
    [{ channels: ["values"] }, ({ method }) => method === "values"],
    [{ channels: ["Values"] }, ({ method }) => method === "values"],
    [{ channels: ["input"] }, ({ method }) => method.startsWith("input.")],
    [
      { channels: ["values"], namespaces: [[]], depth: 0 },
      ({ method, params }) =>
        method === "values" && params.namespace.length === 0,
    ],
    [
      { namespaces: [["booking"]] },
      ({ params }) => params.namespace[0]?.startsWith("booking:") === true,
    ],
    [{ since: middle }, ({ seq }) => seq > middle],
  ]);
  for (const filter of filters.keys()) await seen(filter);
});

test("any number of readers see the same, over SSE and WebSocket, before the thread exists and after its run", async () => {
  const threadId = newThreadId();
  const early = await reading(server, threadId);
  const socket = await openSocket(server, threadId);
  await socket.command("subscription.subscribe", { channels: ALL_CHANNELS });
  await start(threadId, "agent", HELLO);
  const midway = await reading(server, threadId);
  const events = await early.runs();
  const late = await reading(server, threadId);
  const lateSocket = await openSocket(server, threadId);
  await lateSocket.command("subscription.subscribe", {
    channels: ALL_CHANNELS,
  });
  for (const reader of [socket, midway, late, lateSocket])
    expect(await reader.runs()).toEqual(events);
});

test("who comes to an idle thread gets its last run only; while one is active, all since the oldest that is", async () => {
  const threadId = newThreadId();
  const whole = await reading(server, threadId);
  for (let count = 1; count <= 2; count += 1) {
    await start(threadId, "fan-out", { text: "a bc" });
    await whole.runs(count);
  }
  const second = whole.events.findLastIndex(
    ({ params }) => params.data["event"] === "running",
  );
  const idle = await reading(server, threadId);
  expect(await idle.runs()).toEqual(whole.events.slice(second));
  await start(threadId, "slow", { steps: 3, seconds: 0.5 });
  await start(threadId, "fan-out", { text: "a bc" });
  const busy = await reading(server, threadId);
  await busy.runs(2);
  expect(busy.seqs[0]).toBeGreaterThan(whole.events[second]?.seq ?? 0);
  expect(busy.events[0]?.params.data).toEqual({
    event: "running",
    graph_name: "slow",
  });
});

test("what the user writes has the name that it says", async () => {
  const threadId = newThreadId();
  const reader = await reading(server, threadId, {
    channels: ["custom", "lifecycle"],
  });
  await start(threadId, "slow", { steps: 2, seconds: 0.05 });
  await reader.runs();
  expect(reader.data("custom").length).toBeGreaterThan(0);
  for (const data of reader.data("custom"))
    expect(data).toHaveProperty("payload");
});

test("a failed run says why, and one that is cancelled is interrupted", async () => {
  const failing = newThreadId();
  const reader = await reading(server, failing);
  await start(failing, "failing", {});
  const failed = (await reader.runs()).at(-1)?.params.data;
  expect(failed).toMatchObject({ event: "failed", graph_name: "failing" });
  expect(String(failed?.["error"]).length).toBeGreaterThan(3);

  const slow = newThreadId();
  const other = await reading(server, slow);
  const { result } = await start(slow, "slow", { steps: 5, seconds: 60 });
  await waitFor("it runs", () => other.events.length > 2);
  await server.client.runs.cancel(slow, String(result["run_id"]), true);
  expect((await other.runs()).at(-1)?.params.data).toMatchObject({
    event: "interrupted",
  });
});
