import { expect, it } from "vitest";
import { withProtocolMessages } from "./protocol-messages.ts";

const message = (given: object) =>
  (withProtocolMessages({ messages: [given] })["messages"] as unknown[])[0];

it("names types as LangChain does, and leaves out what is empty", () => {
  const empty = { additional_kwargs: {}, response_metadata: {} };
  expect(message({ type: "user", content: "hi", id: "1", ...empty })).toEqual({
    ...{ type: "human", content: "hi", id: "1" },
  });
  const full = { response_metadata: { model: "m" }, name: "n" };
  expect(message({ type: "assistant", content: "", ...full })).toEqual({
    ...{ type: "ai", content: "", ...full },
  });
});

it("finds tool calls where OpenAI has them, unless the message has its own", () => {
  const additional_kwargs = {
    tool_calls: [
      { id: "a", function: { name: "search", arguments: '{"q":1}' } },
      { id: "b", function: { name: "search", arguments: "{" } },
    ],
  };
  const found = [
    { type: "tool_call", id: "a", name: "search", args: { q: 1 } },
  ];
  const given = { type: "ai", content: "", additional_kwargs };
  expect(message(given)).toEqual({ ...given, tool_calls: found });
  expect(message({ ...given, tool_calls: [] })).toMatchObject({
    tool_calls: found,
  });
  const own = { ...given, tool_calls: [{ id: "c", name: "x", args: {} }] };
  expect(message(own)).toEqual(own);
});

it("makes standard blocks of what a content has", () => {
  const content = [
    "plain",
    { type: "text", text: "known" },
    { type: "image_url", image_url: { url: "http://x/y.png" } },
    { type: "image_url", image_url: "http://x/z.png" },
    { type: "input_audio", input_audio: { data: "AA==", format: "mp3" } },
    { type: "file", file_id: "f", mimeType: "text/plain" },
    { type: "tool_use", id: "a" },
  ];
  expect(message({ type: "human", content })).toEqual({
    type: "human",
    content: [
      { type: "text", text: "plain" },
      { type: "text", text: "known" },
      { type: "image", url: "http://x/y.png" },
      { type: "image", url: "http://x/z.png" },
      { type: "audio", base64: "AA==", mime_type: "audio/mp3" },
      { type: "file", file_id: "f", mime_type: "text/plain" },
      { type: "non_standard", value: { type: "tool_use", id: "a" } },
    ],
  });
});

it("takes media that stand beside the content into it", () => {
  const additional_kwargs = {
    refusal: "no",
    audio: { id: "a", data: "AA==", transcript: "hm" },
    tool_outputs: [
      { type: "image_generation_call", id: "i", result: "BB==" },
      { type: "web_search_call" },
    ],
  };
  expect(message({ type: "ai", content: "see", additional_kwargs })).toEqual({
    type: "ai",
    content: [
      { type: "text", text: "see" },
      {
        ...{ type: "audio", id: "a", transcript: "hm" },
        ...{ base64: "AA==", mime_type: "audio/wav" },
      },
      { type: "image", id: "i", base64: "BB==", mime_type: "image/png" },
    ],
    additional_kwargs: {
      refusal: "no",
      tool_outputs: [{ type: "web_search_call" }],
    },
  });
});

it("leaves alone what is no message", () => {
  const state = {
    text: "a",
    rows: [{ type: "user" }, { type: "row", content: [] }, null, 3],
    answer: { type: "constructor", content: "x", additional_kwargs: {} },
  };
  expect(withProtocolMessages(state)).toEqual(state);
});
