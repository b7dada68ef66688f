import { afterAll, beforeAll, expect, test } from "vitest";
import type { StreamMode } from "../../src/model/run.ts";
import { WorkerBench, streamed } from "../support/worker-bench.ts";

let bench: WorkerBench;

beforeAll(async () => {
  bench = await WorkerBench.inProcess();
  await bench.load({
    office: "../stream-graphs/office.ts:graph",
    asides: "../stream-graphs/asides.ts:graph",
    workshop: "../stream-graphs/workshop.ts:graph",
  });
});

afterAll(() => bench[Symbol.asyncDispose]());

async function eventsOf(
  graph: string,
  input: { mode: string } | object,
  options: { stream_mode: StreamMode[]; subgraphs?: boolean },
): Promise<[event: string, data: unknown][]> {
  const { events } = await bench.run(graph, { input, ...options } as never);
  return streamed(events);
}

/** `lifecycle|desk:1ef…|clerk:1ef…` without the ids. */
const plain = (event: string) => event.replaceAll(/:[0-9a-f-]{36}/g, "");

interface Lifecycle {
  event: string;
  namespace: string[];
  tool_call_id?: string;
  error?: unknown;
}

const lifecycleOf = (events: [string, unknown][]) =>
  events
    .filter(([event]) => event.startsWith("lifecycle"))
    .map(([event, data]) => {
      expect(["lifecycle", ...(data as Lifecycle).namespace].join("|")).toBe(
        event,
      );
      return [plain(event), (data as Lifecycle).event];
    });

test("each subgraph tells when it starts and when it has completed, around its frames", async () => {
  const events = await eventsOf(
    "office",
    { mode: "" },
    { stream_mode: ["updates", "lifecycle"], subgraphs: true },
  );
  const told = events.map(([event, data]) =>
    event.startsWith("lifecycle")
      ? `${plain(event)} ${(data as Lifecycle).event}`
      : plain(event),
  );
  expect(told).toEqual([
    "lifecycle|desk started",
    "lifecycle|desk|clerk started",
    "updates|desk|clerk",
    "updates|desk",
    "lifecycle|desk|clerk completed",
    "updates",
    "lifecycle|desk completed",
    "updates",
  ]);
});

test("lifecycle alone sends nothing else, and needs no subgraph streaming", async () => {
  const events = await eventsOf(
    "office",
    { mode: "" },
    { stream_mode: ["lifecycle"] },
  );
  expect(events).toHaveLength(4);
  expect(lifecycleOf(events)).toHaveLength(4);
});

test("lifecycle beside other modes adds no frames of subgraphs to them", async () => {
  const stream_mode: StreamMode[] = ["values", "updates", "custom", "tasks"];
  const input = { mode: "" };
  const names = (events: [string, unknown][]) =>
    events
      .map(([event]) => event)
      .filter((event) => !event.startsWith("lifecycle"));
  const without = await eventsOf("office", input, { stream_mode });
  const beside = await eventsOf("office", input, {
    stream_mode: [...stream_mode, "lifecycle"],
  });
  expect(names(beside)).toEqual(names(without));
  expect(names(beside)).toContain("custom");
  expect(lifecycleOf(beside)).toHaveLength(4);
});

test("a subgraph that asks is interrupted, one that throws has failed, with the error", async () => {
  const stream_mode: StreamMode[] = ["lifecycle"];
  const asked = await eventsOf("office", { mode: "ask" }, { stream_mode });
  expect(lifecycleOf(asked)).toEqual([
    ["lifecycle|desk", "started"],
    ["lifecycle|desk|clerk", "started"],
    ["lifecycle|desk|clerk", "interrupted"],
    ["lifecycle|desk", "interrupted"],
  ]);
  const failed = await eventsOf("office", { mode: "fail" }, { stream_mode });
  expect(lifecycleOf(failed).slice(2)).toEqual([
    ["lifecycle|desk|clerk", "failed"],
    ["lifecycle|desk", "failed"],
  ]);
  expect(failed[2]?.[1]).toMatchObject({ error: { message: "Boo!" } });
});

test("a subgraph that answers a tool call tells its id", async () => {
  const events = await eventsOf(
    "office",
    { mode: "call" },
    { stream_mode: ["lifecycle"] },
  );
  const ids = events.map(([event, data]) => [
    plain(event),
    (data as Lifecycle).tool_call_id,
  ]);
  expect(ids[0]).toEqual(["lifecycle|desk", "call_7"]);
  expect(ids[1]).toEqual(["lifecycle|desk|clerk", undefined]);
});

test("lifecycle is told with LangChain's events, too", async () => {
  const events = await eventsOf(
    "office",
    { mode: "" },
    { stream_mode: ["events", "lifecycle"] },
  );
  expect(lifecycleOf(events)).toHaveLength(4);
  expect(new Set(events.map(([event]) => event.split("|")[0]))).toEqual(
    new Set(["events", "lifecycle"]),
  );
});

test("models that are tagged nostream or langsmith:hidden send no partial messages", async () => {
  const events = await eventsOf(
    "asides",
    { messages: [] },
    { stream_mode: ["messages"] },
  );
  const contents = (name: string) =>
    events
      .filter(([event]) => event === name)
      .flatMap(([, data]) => data as { content: string }[])
      .map(({ content }) => content);
  expect(contents("messages/partial")).toEqual([
    ..."hello".split("").map((_, index) => "hello".slice(0, index + 1)),
  ]);
  expect(contents("messages/complete")).toEqual(["thought", "mumble", "hello"]);
  expect(
    events.filter(([event]) => event === "messages/metadata"),
  ).toHaveLength(1);
});

test("a model that is tagged nostream sends no tokens as tuples, and its message once", async () => {
  const events = await eventsOf(
    "asides",
    { messages: [] },
    { stream_mode: ["messages-tuple"] },
  );
  const of = (node: string) =>
    (events as [string, [{ content: string }, { langgraph_node: string }]][])
      .filter(([, [, { langgraph_node }]]) => langgraph_node === node)
      .map(([, [{ content }]]) => content);
  expect(of("think")).toEqual(["thought"]);
  expect(of("say")).toEqual("hello".split(""));
});

test("events tagged langsmith:hidden are left out of the mode events", async () => {
  const events = await eventsOf(
    "asides",
    { messages: [] },
    { stream_mode: ["events"] },
  );
  const spoken = (events as [string, { event: string; metadata: object }][])
    .filter(([, { event }]) => event === "on_chat_model_stream")
    .map(
      ([, { metadata }]) =>
        (metadata as { langgraph_node: string }).langgraph_node,
    );
  expect(new Set(spoken)).toEqual(new Set(["think", "say"]));
});

test("tools tell their start, their progress, and their end or error", async () => {
  const events = await eventsOf("workshop", {}, { stream_mode: ["tools"] });
  const saw = { name: "saw", toolCallId: "call_1" };
  expect(events).toEqual([
    ["tools", { event: "on_tool_start", ...saw, input: '{"length":2}' }],
    ["tools", { event: "on_tool_event", ...saw, data: { cut: 1 } }],
    ["tools", { event: "on_tool_event", ...saw, data: { cut: 2 } }],
    [
      "tools",
      {
        event: "on_tool_end",
        ...saw,
        output: expect.objectContaining({ type: "tool", content: "2 cuts" }),
      },
    ],
    ["tools", { event: "on_tool_start", name: "drill", input: "{}" }],
    [
      "tools",
      {
        event: "on_tool_error",
        name: "drill",
        error: { error: "RangeError", message: "the bit broke" },
      },
    ],
  ]);
});
