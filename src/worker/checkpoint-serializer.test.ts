import {
  AIMessage,
  AIMessageChunk,
  type AIMessageFields,
  ChatMessage,
  HumanMessage,
  SystemMessage,
  ToolMessage,
} from "@langchain/core/messages";
import {
  DeltaSnapshot,
  JsonPlusSerializer,
} from "@langchain/langgraph-checkpoint";
import { describe, expect, it, onTestFinished } from "vitest";
import { CheckpointSerializer } from "./checkpoint-serializer.ts";

const serde = new CheckpointSerializer();
const langGraphs = new JsonPlusSerializer();

const roundTrip = async (value: unknown): Promise<unknown> =>
  serde.loadsTyped(...(await serde.dumpsTyped(value)));

const constructor = (id: unknown, kwargs: unknown = {}) => ({
  lc: 1,
  type: "constructor",
  id,
  kwargs,
});
const message = (name: string, kwargs: unknown) =>
  constructor(["langchain_core", "messages", name], kwargs);

describe("what LangGraph stores comes back as with its own serializer", () => {
  it.each<[string, unknown]>([
    ["a human message", new HumanMessage({ content: "hi", id: "1" })],
    ["a text", new SystemMessage("be kind")],
    ["a chat message", new ChatMessage({ content: "x", role: "judge" })],
    [
      "an answer with tools and usage",
      new AIMessage({
        content: [{ type: "text", text: "let me look" }],
        tool_calls: [{ id: "c", name: "weather", args: { city: "SF" } }],
        response_metadata: { model_name: "m", odd_key: { nested_key: 1 } },
        additional_kwargs: { some_key: { other_key: [1] } },
      }),
    ],
    [
      "an answer that was counted",
      new AIMessage({
        content: "x",
        usage_metadata: { input_tokens: 1, output_tokens: 2, total_tokens: 3 },
      } as AIMessageFields),
    ],
    [
      "a chunk",
      new AIMessageChunk({
        content: "par",
        tool_call_chunks: [{ index: 0, name: "f", args: '{"a":' }],
      }),
    ],
    [
      "the answer of a tool",
      new ToolMessage({
        content: "sun",
        tool_call_id: "c",
        artifact: { rows_read: 3 },
        status: "error",
      }),
    ],
    ["members that are undefined", [{ a: undefined }, undefined]],
    ["a map of sets", new Map([["a", new Set([1, new Map()])]])],
    ["bytes", { of: new Uint8Array([1, 2, 255]) }],
    ["an error and a pattern", [new Error("no"), /a+/gi]],
    ["a snapshot", new DeltaSnapshot([new HumanMessage("hi")])],
  ])("%s", async (_name, value) => {
    const stored = await langGraphs.dumpsTyped({ value });
    const loaded = await serde.loadsTyped(...stored);
    expect(loaded).toStrictEqual(await langGraphs.loadsTyped(...stored));
    expect((await serde.dumpsTyped(loaded))[1]).toEqual(stored[1]);
  });

  it("a message keeps data that looks like an envelope as data", async () => {
    const additional_kwargs = { odd: constructor(["nobody", "X"]) };
    const loaded = await roundTrip(
      new HumanMessage({ content: "hi", additional_kwargs }),
    );
    expect(loaded).toBeInstanceOf(HumanMessage);
    expect(loaded).toMatchObject({ additional_kwargs });
  });
});

describe("what a client sent stays what it sent", () => {
  it.each<[string, object]>([
    ["a class of nobody", constructor(["nobody", "X"])],
    [
      "a class of LangChain",
      constructor(["langchain_core", "prompts", "prompt", "PromptTemplate"], {
        template: "{a}",
        input_variables: ["a"],
      }),
    ],
    ["a function of LangChain", message("getBufferString", {})],
    ["what every object inherits", message("constructor", {})],
    ["an abstract message", message("BaseMessage", { content: "hi" })],
    ["a message with more in its id", constructor(["langchain_core", "messages", "human", "HumanMessage"], { content: "" })], // prettier-ignore
    ["ids that are no texts", constructor([1, {}, null])],
    ["an id that is no list", constructor("langchain_core")],
    ["no members", message("HumanMessage", null)],
    ["a secret", { lc: 1, type: "secret", id: ["PATH"] }],
    ["what cannot be said", { lc: 1, type: "not_implemented", id: ["X"] }],
    ["a function", { lc: 2, type: "constructor", id: ["Function"], args: ["process.exit()"] }], // prettier-ignore
    ["a method", { lc: 2, type: "constructor", id: ["Set"], method: "constructor", args: [[]] }], // prettier-ignore
    ["a pattern that is none", { lc: 2, type: "constructor", id: ["RegExp"], args: ["(", ""] }], // prettier-ignore
    ["an inherited name", { lc: 2, type: "constructor", id: ["toString"], args: [[]] }], // prettier-ignore
    ["a version to come", { lc: 3, type: "constructor", id: ["Set"] }],
    ["the wrapper of LangChain", { __lc_escaped__: { lc: 1 } }],
  ])("%s", async (_name, envelope) => {
    const value = { lists: [envelope], plain: envelope };
    expect(await roundTrip(value)).toStrictEqual(value);
  });

  it("no variable of the environment gets into a message", async () => {
    process.env["SPOOL_TEST_SECRET"] = "the secret of the house";
    onTestFinished(() => void delete process.env["SPOOL_TEST_SECRET"]);
    const secret = { lc: 1, type: "secret", id: ["SPOOL_TEST_SECRET"] };
    const loaded = await roundTrip(
      message("HumanMessage", {
        content: "hi",
        additional_kwargs: { secret, wrapped: { __lc_escaped__: secret } },
      }),
    );
    expect(loaded).toBeInstanceOf(HumanMessage);
    expect(loaded).toMatchObject({
      additional_kwargs: { secret, wrapped: secret },
    });
  });

  it("no built-in is renamed", async () => {
    await roundTrip(message("constructor", {}));
    expect([Object.name, Function.name]).toEqual(["Object", "Function"]);
  });

  it("a member called __proto__ is data", async () => {
    const value: unknown = JSON.parse(
      '{"__proto__": {"lc": 2, "type": "undefined", "polluted": 1}, "lc": 0}',
    );
    const loaded = (await roundTrip(value)) as object;
    expect(Object.keys(loaded)).toEqual(["__proto__", "lc"]);
    expect("polluted" in loaded).toBe(false);
  });

  it("a message may be as deep as a request", async () => {
    let deep: object = { lc: 0 };
    for (let depth = 0; depth < 500; depth += 1) deep = { deep };
    const loaded = await roundTrip(
      new HumanMessage({ content: "hi", additional_kwargs: { deep } }),
    );
    expect(loaded).toBeInstanceOf(HumanMessage);
  });
});
