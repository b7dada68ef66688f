import { expect, test } from "vitest";
import { BadInputApp } from "../../support/bad-input.ts";

/*
 * `{lc: 1, …}` is how LangChain writes its objects. A client may send a
 * message so, since that is what `JSON.stringify` makes of one; anything else
 * is data, in a state and in metadata, and stays what it was sent as.
 */

const app = new BadInputApp();

const envelope = (...id: unknown[]) => ({
  lc: 1,
  type: "constructor",
  id,
  kwargs: { content: "x", template: "{a}", input_variables: ["a"] },
});
const secret = { lc: 1, type: "secret", id: ["PATH"] };

const INERT: [name: string, value: unknown][] = [
  ["a class of nobody", envelope("nobody", "X")],
  ["a class of LangChain", envelope("langchain_core", "prompts", "prompt", "PromptTemplate")], // prettier-ignore
  ["what every object inherits", envelope("langchain_core", "messages", "constructor")], // prettier-ignore
  ["an id of numbers", envelope(1, 2)],
  ["a secret", secret],
  ["a secret in a class", { ...envelope("nobody", "X"), kwargs: { secret } }],
  ["what has no form", { lc: 1, type: "not_implemented", id: ["X"] }],
  ["a function", { lc: 2, type: "constructor", id: ["Function"], args: ["process.exit()"] }], // prettier-ignore
  ["a version to come", { lc: 99 }],
];

interface State {
  values: { topic?: unknown; messages?: Record<string, unknown>[] };
}

/** The thread goes one step on, is read, changed, and read again. */
async function stateOf(graph_id: string, values: object, as_node: string) {
  const thread_id = await app.thread(graph_id, [
    { updates: [{ values, as_node: "__input__" }] },
    { updates: [{ values, as_node: "__start__" }] },
  ]);
  const path = `/threads/${thread_id}`;
  await app.succeed({ path: `${path}/state`, body: { values: {}, as_node } });
  await app.succeed({ path: `${path}/history`, body: { limit: 10 } });
  return app.succeed<State>({ method: "GET", path: `${path}/state` });
}

test.each(INERT)("%s in a state stays data", async (_name, value) => {
  const { values } = await stateOf("linear", { topic: value }, "first");
  expect(values.topic).toEqual(value);
});

test.each(INERT)("%s inside of a message stays data", async (_name, value) => {
  const message = {
    type: "human",
    id: "m",
    content: "hi",
    additional_kwargs: { value },
  };
  const { values } = await stateOf("chat", { messages: [message] }, "agent");
  expect(values.messages).toHaveLength(1);
  expect(values.messages?.[0]).toMatchObject(message);
});

test.each(INERT)("%s in metadata stays data", async (_name, value) => {
  const metadata = { value };
  const thread = await app.succeed<object>({ path: "/threads", body: { metadata } }); // prettier-ignore
  expect(thread).toMatchObject({ metadata });
});

test("a message as LangChain writes it is a message", async () => {
  const human = envelope("langchain_core", "messages", "HumanMessage");
  const { values } = await stateOf("chat", { messages: [human] }, "agent");
  expect(values.messages?.[0]).toMatchObject({ type: "human", content: "x" });
});

test("an envelope that no message has is no message", async () => {
  const values = { messages: [envelope("nobody", "X")] };
  await app.refuse({
    path: "/threads",
    body: {
      metadata: { graph_id: "chat" },
      supersteps: [{ updates: [{ values, as_node: "agent" }] }],
    },
    detail: "supersteps[0].updates[0].values: ",
  });
});

test("the names of the built-ins are what they were", () => {
  expect([Object.name, Function.name]).toEqual(["Object", "Function"]);
});
