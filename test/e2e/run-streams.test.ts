import { expect, test } from "vitest";
import {
  collect,
  dataOf,
  eventsOf,
  refusal,
  type Frame,
} from "../support/sdk.ts";
import { useServer } from "../support/server.ts";
import { waitFor } from "../support/wait.ts";

const server = useServer();

type StreamMode = "values" | "updates" | "messages-tuple" | "custom";

async function streamed(
  graph: string,
  input: Record<string, unknown>,
  options: { streamMode?: StreamMode[]; streamSubgraphs?: boolean } = {},
): Promise<Frame[]> {
  const { thread_id } = await server.client.threads.create();
  return collect(
    server.client.runs.stream(thread_id, graph, { input, ...options } as never),
  );
}

const text = "a bc";

test("a stream starts with its run, gives the values of each step, and ends with the status", async () => {
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  const frames = await collect(
    runs.stream(thread_id, "fan-out", { input: { text } }),
  );
  const [run] = await runs.list(thread_id);
  expect(frames.map(({ event, data }) => ({ event, data }))).toEqual([
    { event: "metadata", data: { run_id: run?.run_id, attempt: 1 } },
    { event: "values", data: { text, lengths: [] } },
    { event: "values", data: { text, lengths: [1, 2] } },
    { event: "values", data: { text, lengths: [1, 2], total: 3 } },
    { event: "end", data: { run_id: run?.run_id, status: "success" } },
  ]);
});

test("frame ids grow over the runs of a thread", async () => {
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  const ids: number[] = [];
  for (let n = 0; n < 2; n += 1) {
    const stream = runs.stream(thread_id, "fan-out", { input: { text } });
    for (const { id } of await collect(stream)) ids.push(Number(id));
  }
  expect(ids.every(Number.isSafeInteger)).toBe(true);
  expect(ids).toEqual([...new Set(ids)].sort((a, b) => a - b));
});

test("updates come one per task, with the name of its node", async () => {
  const frames = await streamed(
    "fan-out",
    { text },
    { streamMode: ["updates"] },
  );
  expect(eventsOf(frames)).toEqual([
    "metadata",
    "updates",
    "updates",
    "updates",
    "end",
  ]);
  expect(dataOf(frames, "updates")).toEqual([
    { measure: { lengths: [1] } },
    { measure: { lengths: [2] } },
    { sum: { total: 3 } },
  ]);
});

test("tokens come as message chunks of one id, in their order", async () => {
  const frames = await streamed(
    "agent",
    { messages: [{ role: "user", content: "hello there" }] },
    { streamMode: ["messages-tuple"] },
  );
  expect(new Set(eventsOf(frames))).toEqual(
    new Set(["metadata", "messages", "end"]),
  );
  const chunks = dataOf(frames, "messages") as [
    { id: string; type: string; content: string },
    Record<string, unknown>,
  ][];
  // Servers write the type of a chunk either way, and every SDK reads both.
  const tokens = chunks.filter(([{ type }]) =>
    ["ai", "AIMessageChunk"].includes(type),
  );
  const answer =
    'You said "hello there". That was message 1 from you in this thread.';
  expect(tokens.length).toBeGreaterThan(5);
  expect(tokens.map(([message]) => message.content).join("")).toBe(answer);
  expect(new Set(tokens.map(([message]) => message.id)).size).toBe(1);
  expect(tokens[0]?.[1]).toMatchObject({
    langgraph_node: "agent",
    langgraph_step: 1,
    graph_id: "agent",
  });
});

test("a tool call streams its arguments, then the tool's message, then the answer", async () => {
  const frames = await streamed(
    "agent",
    { messages: [{ role: "user", content: "weather in Lisbon" }] },
    { streamMode: ["messages-tuple"] },
  );
  const chunks = dataOf(frames, "messages") as [
    {
      type: string;
      content: string;
      tool_call_chunks?: { name?: string; args?: string }[];
    },
    { langgraph_node: string },
  ][];
  const call = chunks.find(([message]) => message.tool_call_chunks?.length);
  expect(call?.[0].tool_call_chunks?.[0]).toMatchObject({
    name: "get_weather",
    args: '{"city":"Lisbon"}',
  });
  const tool = chunks.findIndex(([message]) => message.type === "tool");
  expect(chunks[tool]).toMatchObject([
    { content: "windy, 25 °C" },
    { langgraph_node: "tools" },
  ]);
  const rest = chunks.slice(tool + 1).map(([message]) => message.content);
  expect(rest.join("")).toBe("The weather report says: windy, 25 °C.");
});

test("what a node writes comes as custom frames while it runs", async () => {
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  const arrivals: [unknown, number][] = [];
  for await (const { event, data } of runs.stream(thread_id, "slow", {
    input: { steps: 2, seconds: 0.5 },
    streamMode: ["custom"],
  }))
    if ((event as string) === "custom") arrivals.push([data, Date.now()]);
  expect(arrivals.map(([data]) => data)).toEqual([
    { progress: "step 1 of 2" },
    { progress: "step 2 of 2" },
  ]);
  const [first = 0, second = 0] = arrivals.map(([, at]) => at);
  expect(second - first).toBeGreaterThan(300);
});

test("several modes share one stream, in the order of what happened", async () => {
  const frames = await streamed(
    "slow",
    { steps: 2, seconds: 0.01 },
    { streamMode: ["updates", "values", "custom"] },
  );
  const steps = frames.map(({ event, data }) =>
    event === "custom" || event === "updates" ? [event, data] : [event],
  );
  expect(steps).toEqual([
    ["metadata"],
    ["values"],
    ["custom", { progress: "step 1 of 2" }],
    ["updates", { work: { done: [1] } }],
    ["values"],
    ["custom", { progress: "step 2 of 2" }],
    ["updates", { work: { done: [2] } }],
    ["values"],
    ["end"],
  ]);
});

test("subgraphs stream under their namespace, for those who ask", async () => {
  const input = { wish: "a day in Faro" };
  const streamMode: StreamMode[] = ["updates"];
  const plain = await streamed("trip", input, { streamMode });
  expect(new Set(eventsOf(plain))).toEqual(
    new Set(["metadata", "updates", "end"]),
  );
  const nested = await streamed("trip", input, {
    streamMode,
    streamSubgraphs: true,
  });
  const inner = nested.filter(({ event }) => event.includes("|"));
  expect(inner[0]).toMatchObject({
    event: expect.stringMatching(/^updates\|booking:[0-9a-f-]+$/),
    data: { search: { train: "the 9:30 to Faro" } },
  });
});

test("an interrupt shows in updates and in values", async () => {
  const updates = await streamed(
    "approval",
    { to: "Ada" },
    { streamMode: ["updates"] },
  );
  expect(dataOf(updates, "updates").at(-1)).toMatchObject({
    __interrupt__: [
      { id: expect.any(String), value: { question: "Send this letter?" } },
    ],
  });
  const values = await streamed("approval", { to: "Ada" });
  expect(dataOf(values, "values").at(-1)).toMatchObject({
    __interrupt__: [{ value: { question: "Send this letter?" } }],
  });
  expect(values.at(-1)).toMatchObject({ data: { status: "success" } });
});

test("a run that is joined in its middle streams on to its end", async () => {
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  const run = await runs.create(thread_id, "slow", {
    input: { steps: 4, seconds: 0.3 },
    streamMode: ["values", "custom"],
    streamResumable: true,
  });
  const all = await collect(
    runs.joinStream(thread_id, run.run_id, { lastEventId: "-1" }),
  );
  expect(dataOf(all, "custom")).toHaveLength(4);
  expect(all[0]).toMatchObject({ event: "metadata" });
  expect(all.at(-1)).toMatchObject({ event: "end" });

  // After its end the same frames are read again, and from any of them on.
  const again = await collect(
    runs.joinStream(thread_id, run.run_id, { lastEventId: "-1" }),
  );
  expect(again).toEqual(all);
  const third = all[2]?.id ?? "";
  const rest = await collect(
    runs.joinStream(thread_id, run.run_id, { lastEventId: third }),
  );
  expect(rest).toEqual(all.slice(3));
  const custom = await collect(
    runs.joinStream(thread_id, run.run_id, {
      lastEventId: "-1",
      streamMode: ["custom"],
    }),
  );
  expect(new Set(eventsOf(custom))).toEqual(
    new Set(["metadata", "custom", "end"]),
  );
});

test("who joins without a cursor sees what is still to come", async () => {
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  const run = await runs.create(thread_id, "slow", {
    input: { steps: 4, seconds: 1 },
    streamMode: ["updates"],
  });
  await waitFor("the second step is done", async () => {
    const { values } = await threads.getState<{ done?: number[] }>(thread_id);
    return values.done?.[1];
  });
  const live = await collect(runs.joinStream(thread_id, run.run_id));
  expect(dataOf(live, "updates").length).toBeLessThan(3);
  expect(dataOf(live, "updates").at(-1)).toEqual({ work: { done: [4] } });
  expect(live.at(-1)).toMatchObject({ event: "end" });
  const late = await collect(runs.joinStream(thread_id, run.run_id));
  expect(dataOf(late, "updates")).toEqual([]);
});

test("many readers follow one run, each from where it came in", async () => {
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  const run = await runs.create(thread_id, "slow", {
    input: { steps: 5, seconds: 0.2 },
    streamMode: ["updates"],
    streamResumable: true,
  });
  const readers = await Promise.all(
    Array.from({ length: 10 }, () =>
      collect(runs.joinStream(thread_id, run.run_id, { lastEventId: "-1" })),
    ),
  );
  expect(readers[0]).toHaveLength(7);
  for (const frames of readers) expect(frames).toEqual(readers[0]);
});

test("a silent stream keeps itself alive, also while a node blocks its process", async () => {
  const { thread_id } = await server.client.threads.create();
  const url = `/threads/${thread_id}/runs/stream`;
  const body = { assistant_id: "blocks", input: { ms: 11_000 } };
  const text = await (await server.send("POST", url, body)).text();
  expect(text.match(/^: heartbeat\r?\n\r?\n/gm)?.length).toBeGreaterThanOrEqual(
    2,
  );
  expect(text).toContain('"status":"success"');
});

test("a silent wait keeps itself alive with blank lines before its answer", async () => {
  const { thread_id } = await server.client.threads.create();
  const url = `/threads/${thread_id}/runs/wait`;
  const body = { assistant_id: "slow", input: { steps: 1, seconds: 3.5 } };
  const text = await (await server.send("POST", url, body)).text();
  expect(text).toMatch(/^\n{2,}\{/);
  expect(JSON.parse(text)).toMatchObject({ done: [1] });
});

test("streams are served as event streams that nothing may hold back", async () => {
  const { thread_id } = await server.client.threads.create();
  const answer = await server.send(
    "POST",
    `/threads/${thread_id}/runs/stream`,
    { assistant_id: "fan-out", input: { text } },
  );
  expect(answer.headers.get("content-type")).toMatch(/^text\/event-stream/);
  expect(answer.headers.get("cache-control")).toMatch(/no-cache|no-store/);
  expect(answer.headers.get("x-accel-buffering")).toBe("no");
  for (const frame of (await answer.text()).trim().split(/\r?\n\r?\n/)) {
    if (frame.startsWith(":")) continue;
    const fields = frame.split(/\r?\n/).map((line) => line.split(":", 1)[0]);
    expect(fields.sort()).toEqual(["data", "event", "id"]);
  }
});

test("a client that goes away stops nothing unless it asked for it", async () => {
  const { threads, runs } = server.client;
  const leave = async (onDisconnect: "cancel" | "continue") => {
    const { thread_id } = await threads.create();
    const abort = new AbortController();
    const stream = runs.stream(thread_id, "slow", {
      input: { steps: 3, seconds: 0.4 },
      streamMode: ["custom"],
      onDisconnect,
      signal: abort.signal,
    });
    for await (const { event } of stream)
      if ((event as string) === "custom") break;
    abort.abort();
    const [run] = await runs.list(thread_id);
    await runs.join(thread_id, run?.run_id ?? "");
    const { status } = await runs.get(thread_id, run?.run_id ?? "");
    return status;
  };
  expect(await leave("continue")).toBe("success");
  expect(await leave("cancel")).toBe("interrupted");
});

test("what refuses a stream is a status, not a frame", async () => {
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  const stream = collect(runs.stream(thread_id, "nobody", { input: {} }));
  const refused = await refusal(stream);
  expect(refused.status).toBe(404);
  expect(refused.detail).toMatch(/No assistant found for "nobody"/);
});
