import { expect, test } from "vitest";
import { withProtocolMessages } from "../../src/stream/protocol-messages.ts";
import {
  commanded,
  newThreadId,
  openSocket,
  reading,
  type Reading,
} from "../support/protocol.ts";
import { collect, dataOf, eventsOf } from "../support/sdk.ts";
import { startServer, useServer } from "../support/server.ts";
import { waitFor } from "../support/wait.ts";

const server = useServer();

const HELLO = { messages: [{ role: "user", content: "hello there" }] };

const run = (threadId: string, assistant_id: string, input: unknown) =>
  commanded(server, threadId, "run.start", { assistant_id, input });

test("a run that was started by run.start is seen by clients of the run streams, in their form", async () => {
  const threadId = newThreadId();
  const reader = await reading(server, threadId);
  const { result } = await run(threadId, "agent", HELLO);
  const frames = await collect(
    server.client.runs.joinStream(threadId, String(result["run_id"]), {
      streamMode: ["values", "messages-tuple", "updates"],
      lastEventId: "-1",
    }),
  );
  const events = eventsOf(frames);
  expect(events[0]).toBe("metadata");
  expect(events.at(-1)).toBe("end");
  expect(events.filter((event) => event.startsWith("v2"))).toEqual([]);
  await reader.runs();
  // Its messages are in the protocol's form there.
  const states = dataOf(frames, "values") as Record<string, unknown>[];
  expect(states.map(withProtocolMessages)).toEqual(reader.data("values"));
  const chunks = frames
    .filter(({ event }) => event.startsWith("messages|"))
    .map(({ data }) => data as [{ id: string; content: string }, object]);
  const text = chunks.map(([{ content }]) => content).join("");
  const deltas = reader
    .data("messages")
    .flatMap(({ delta }) => (delta === undefined ? [] : [delta]))
    .map((delta) => (delta as { text: string }).text);
  expect(text).toBe(deltas.join(""));
  expect(new Set(chunks.map(([{ id }]) => id)).size).toBe(1);
});

test("a run that was started over the run streams is seen by clients of the protocol, with its beginning and its end", async () => {
  const { thread_id } = await server.client.threads.create();
  const reader = await reading(server, thread_id);
  const frames = await collect(
    server.client.runs.stream(thread_id, "fan-out", {
      input: { text: "a bc" },
      streamMode: ["values", "updates"],
    }),
  );
  await reader.runs();
  expect(reader.data("lifecycle").map(({ event }) => event)).toEqual([
    "running",
    "completed",
  ]);
  expect(reader.data("values")).toEqual(dataOf(frames, "values"));
  expect(
    reader
      .data("updates")
      .map(({ node, values }) => ({ [String(node)]: values })),
  ).toEqual(dataOf(frames, "updates"));
});

test("messages of a run that was started over the run streams are told in blocks to who follows, and to its own client as ever", async () => {
  const { thread_id } = await server.client.threads.create();
  const stream = (streamMode: ("messages-tuple" | "values")[]) =>
    collect(
      server.client.runs.stream(thread_id, "agent", {
        input: HELLO,
        streamMode,
      }),
    );
  const alone = await stream(["messages-tuple"]);
  const reader = await reading(server, thread_id);
  await reader.runs();
  const chunked = await stream(["messages-tuple"]);
  await reader.runs(2);
  const stated = await stream(["values"]);
  await reader.runs(3);

  expect(new Set(eventsOf(chunked))).toEqual(new Set(eventsOf(alone)));
  expect(eventsOf(chunked)).toHaveLength(alone.length);
  expect(new Set(eventsOf(stated))).toEqual(
    new Set(["metadata", "values", "end"]),
  );
  for (const run of [2, 3]) {
    const blocks = messagesOfRun(reader, run);
    expect(blocks[0]).toMatchObject({ event: "message-start", role: "ai" });
    expect(blocks.map(({ event }) => event).slice(-2)).toEqual([
      "content-block-finish",
      "message-finish",
    ]);
    const text = blocks.map(({ delta }) => delta?.text ?? "").join("");
    expect(text).toMatch(/^You said "hello there"/);
    expect(blocks.at(-2)?.content).toEqual({ type: "text", text });
    expect(new Set(blocks.map(({ run_id }) => run_id)).size).toBe(1);
  }
  const tokens = chunked
    .filter(({ event }) => event.startsWith("messages"))
    .map(({ data }) => (data as [{ content: string }])[0].content);
  expect(
    messagesOfRun(reader, 2).flatMap(({ delta }) => delta?.text ?? []),
  ).toEqual(tokens.filter((token) => token !== ""));
  const { seqs } = reader;
  expect(seqs).toEqual([...new Set(seqs)].sort((a, b) => a - b));
});

test("a tool call of a run that was started over the run streams is a block", async () => {
  const { thread_id } = await server.client.threads.create();
  const reader = await reading(server, thread_id);
  await server.client.runs.wait(thread_id, "agent", {
    input: {
      messages: [{ role: "user", content: "what is the weather in Paris?" }],
    },
  });
  await reader.runs();
  const finished = messagesOfRun(reader, 1).map(({ content }) => content);
  expect(finished).toContainEqual({
    type: "tool_call",
    id: "call_1",
    name: "get_weather",
    args: { city: "Paris" },
  });
});

interface Block {
  event: string;
  run_id?: string;
  delta?: { text?: string };
  content?: object;
}

/** The data of channel `messages` of the first, second … run that a reader has had. */
function messagesOfRun({ events }: Reading, nth: number): Block[] {
  const starts = [...events.entries()]
    .filter(([, { params }]) => params.data["event"] === "running")
    .map(([index]) => index);
  return events
    .slice(starts[nth - 1], starts[nth])
    .filter(({ method }) => method === "messages")
    .map(({ params }) => params.data as unknown as Block);
}

test("a run in the background on a thread that somebody follows tells its tokens, too", async () => {
  const { thread_id } = await server.client.threads.create();
  const reader = await reading(server, thread_id);
  await server.client.runs.create(thread_id, "agent", { input: HELLO });
  await reader.runs();
  const kinds = reader.data("messages").map(({ event }) => event);
  expect(kinds).toContain("content-block-delta");
});

test("a run that nobody has streamed shows its state and its end to who comes later", async () => {
  const { thread_id } = await server.client.threads.create();
  const values = await server.client.runs.wait(thread_id, "fan-out", {
    input: { text: "a bc" },
  });
  const reader = await reading(server, thread_id);
  await reader.runs();
  expect(reader.data("values").at(-1)).toEqual(values);
  expect(reader.events.at(-1)?.params.data["event"]).toBe("completed");
});

test("all of a thread is there after the server was killed and started again, under the same numbers", async () => {
  const own = await startServer();
  const threadId = newThreadId();
  const start = (assistant_id: string, input: unknown) =>
    commanded(own, threadId, "run.start", { assistant_id, input });
  const before = await reading(own, threadId);
  await start("agent", HELLO);
  const events = [...(await before.runs())];
  await own.kill9();
  await own.start();
  const after = await reading(own, threadId);
  expect(await after.runs()).toEqual(events);
  const socket = await openSocket(own, threadId);
  const since = events[5]?.seq ?? 0;
  await socket.command("subscription.subscribe", {
    channels: ["messages", "lifecycle"],
    since,
  });
  await socket.runs();
  expect(socket.events).toEqual(
    events.filter(
      ({ method, seq }) =>
        seq > since && (method === "messages" || method === "lifecycle"),
    ),
  );
  await start("fan-out", { text: "a" });
  await after.runs(2);
  const { seqs } = after;
  expect(seqs).toEqual([...new Set(seqs)].sort((a, b) => a - b));
});

test("a run that goes on when the server is killed goes on for its readers, and ends once", async () => {
  const own = await startServer();
  const threadId = newThreadId();
  const before = await reading(own, threadId);
  await commanded(own, threadId, "run.start", {
    assistant_id: "slow",
    input: { steps: 4, seconds: 0.5 },
  });
  await waitFor("a step", () => before.of("values").length > 1);
  const seen = before.seqs.at(-1) ?? 0;
  await own.kill9();
  await own.start();
  const after = await reading(own, threadId, { since: seen });
  await after.runs();
  expect(after.seqs.every((seq) => seq > seen)).toBe(true);
  expect(after.events.at(-1)?.params.data["event"]).toBe("completed");
  expect(after.data("values").at(-1)).toMatchObject({ done: [1, 2, 3, 4] });
});

test("what is past its retention is replaced by the state", async () => {
  const own = await startServer({
    env: { RESUMABLE_STREAM_TTL_SECONDS: "1" },
  });
  const threadId = newThreadId();
  const before = await reading(own, threadId);
  await commanded(own, threadId, "run.start", {
    assistant_id: "fan-out",
    input: { text: "a bc" },
  });
  await before.runs();
  const state = before.data("values").at(-1);
  before.leave();
  await waitFor(
    "only the state is left",
    async () => {
      const late = await reading(own, threadId);
      await waitFor("something", () => late.events.length > 0);
      const methods = late.events.map(({ method }) => method);
      late.leave();
      if (methods.join() !== "values") return false;
      expect(late.data("values")).toEqual([state]);
      return true;
    },
    { timeoutMs: 90_000, everyMs: 1000 },
  );
}, 100_000);
