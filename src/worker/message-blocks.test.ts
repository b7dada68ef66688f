import {
  AIMessage,
  AIMessageChunk,
  ToolMessage,
} from "@langchain/core/messages";
import { describe, expect, it } from "vitest";
import { MessageBlocks, type BlockEvent } from "./message-blocks.ts";

const ORIGIN = {
  langgraph_node: "agent",
  langgraph_checkpoint_ns: "outer:1|agent:2",
};

const messages = (message: unknown, origin: object = ORIGIN) => ({
  ...{ namespace: ["agent:2"], mode: "messages" as const },
  payload: [message, origin],
});

const data = (events: Iterable<BlockEvent>) =>
  [...events].map((event) => event.data);

const finished = (events: Iterable<BlockEvent>) =>
  data(events).flatMap(({ event, content }) =>
    event === "content-block-finish" ? [content] : [],
  );

describe("MessageBlocks", () => {
  it("tells a message in blocks, which end with the task that writes it", () => {
    const blocks = new MessageBlocks();
    const token = (content: string) =>
      data(blocks.of(messages(new AIMessageChunk({ id: "run-7", content }))));
    expect(token("Hel")).toEqual([
      { event: "message-start", id: "run-7", role: "ai", run_id: "7" },
      {
        ...{ event: "content-block-start", index: 0, run_id: "7" },
        content: { type: "text", text: "" },
      },
      {
        ...{ event: "content-block-delta", index: 0, run_id: "7" },
        delta: { type: "text-delta", text: "Hel" },
      },
    ]);
    expect(token("lo")).toHaveLength(1);
    const others = blocks.of({
      ...{ namespace: ["outer:1"], mode: "updates" },
      payload: { other: {} },
    });
    expect([...others]).toEqual([]);
    const ended = [
      ...blocks.of({
        ...{ namespace: ["outer:1"], mode: "updates" },
        payload: { agent: {} },
      }),
    ];
    expect(data(ended)).toEqual([
      {
        ...{ event: "content-block-finish", index: 0, run_id: "7" },
        content: { type: "text", text: "Hello" },
      },
      { event: "message-finish", run_id: "7" },
    ]);
    expect(ended[0]).toMatchObject({
      namespace: ["outer:1", "agent:2"],
      node: "agent",
    });
    expect([...blocks.ofEnd()]).toEqual([]);
  });

  it("gives text, reasoning and each tool call a block of its own, whatever numbers the model has for them", () => {
    const blocks = new MessageBlocks();
    const call = (index: number, args: string, id?: string) => ({
      ...{ type: "tool_call_chunk" as const, index, args },
      ...(id === undefined ? {} : { id, name: "search" }),
    });
    const chunks = [
      { content: [{ type: "thinking", thinking: "hm", index: 0 }] },
      { content: [{ type: "text", text: "So", index: 1 }] },
      { content: "", tool_call_chunks: [call(0, '{"q":', "a")] },
      { content: "", tool_call_chunks: [call(0, '"x"}'), call(1, "{", "b")] },
    ];
    for (const chunk of chunks)
      for (const _ of blocks.of(
        messages(new AIMessageChunk({ id: "m", ...chunk })),
      ));
    expect(finished(blocks.ofEnd())).toEqual([
      { type: "reasoning", reasoning: "hm" },
      { type: "text", text: "So" },
      { type: "tool_call", id: "a", name: "search", args: { q: "x" } },
      {
        ...{ type: "invalid_tool_call", id: "b", name: "search", args: "{" },
        error: "the arguments are no JSON",
      },
    ]);
  });

  it("tells a message that a node returns in one go, and leaves out what tools give and what is hidden", () => {
    const blocks = new MessageBlocks();
    const whole = Object.assign(new AIMessage({ id: "m", content: "Hi" }), {
      tool_calls: [{ id: "a", name: "search", args: { q: 1 } }],
      usage_metadata: { input_tokens: 1, output_tokens: 2, total_tokens: 3 },
    });
    const events = [...blocks.of(messages(whole))];
    expect(finished(events)).toEqual([
      { type: "text", text: "Hi" },
      { type: "tool_call", id: "a", name: "search", args: { q: 1 } },
    ]);
    expect(events.at(-1)?.data).toMatchObject({
      event: "message-finish",
      usage: { total_tokens: 3 },
    });
    const tool = new ToolMessage({ id: "t", content: "x", tool_call_id: "a" });
    expect([...blocks.of(messages(tool))]).toEqual([]);
    const hidden = { ...ORIGIN, tags: ["langsmith:hidden"] };
    const other = new AIMessage({ id: "h", content: "x" });
    expect([...blocks.of(messages(other, hidden))]).toEqual([]);
  });
});
