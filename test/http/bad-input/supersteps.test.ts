import { describe } from "vitest";
import {
  BadInputApp,
  nested,
  type BadRequest,
} from "../../support/bad-input.ts";

const app = new BadInputApp();
const topic = { topic: "tea" };

/** A thread made of supersteps: each is a list of updates. */
const made = (
  supersteps: object[][],
  detail: string | RegExp,
  graph_id = "linear",
): BadRequest => ({
  path: "/threads",
  body: {
    metadata: { graph_id },
    supersteps: supersteps.map((updates) => ({ updates })),
  },
  detail,
});

const input = { as_node: "__input__", values: topic };
const first = { as_node: "first", values: topic };
const NULL_INPUT = { as_node: "__input__", values: null };

describe("supersteps in an impossible order", () => {
  app.refuseAll({
    "none in one": made([[]], "supersteps[0].updates: "),
    "input and a node in one step": made([[input, first]], "supersteps[0].updates: Cannot apply multiple updates when updating as input"), // prettier-ignore
    "input twice in one step": made([[input, input]], "supersteps[0].updates: "), // prettier-ignore
    "no input as input": made([[NULL_INPUT]], "supersteps[0].updates[0].values: "), // prettier-ignore
    "a copy of what is not there": made([[{ as_node: "__copy__", values: topic }]], "supersteps[0].updates[0].values: Cannot copy"), // prettier-ignore
    "the end before the start": made([[{ as_node: "__end__", values: topic }]], 'supersteps[0].updates[0].as_node: Node "__end__" does not exist'), // prettier-ignore
    "one channel twice in one step": made([[first, first]], 'supersteps[0].updates: Invalid update for channel "topic"'), // prettier-ignore
    "a good step before a bad one": made([[input], [first], [{ as_node: "third", values: topic }]], 'supersteps[2].updates[0].as_node: Node "third" does not exist'), // prettier-ignore
    "a bad update beside a good one": made([[input], [first, { as_node: "third", values: {} }]], 'supersteps[1].updates[1].as_node: Node "third"'), // prettier-ignore
    "a copy beside a node": made([[first, { as_node: "__copy__", values: null }]], 'supersteps[0].updates[1].as_node: Node "__copy__"'), // prettier-ignore
  });
});

describe("nodes", () => {
  for (const name of [
    "third",
    "__proto__",
    "constructor",
    "toString",
    "hasOwnProperty",
    "first:1",
    "a|b",
    "\u0000",
    "%",
    "'; --",
  ])
    // prettier-ignore
    app.refuseAll({
      [`${JSON.stringify(name)} in as_node`]: made([[{ as_node: name, values: topic }]], "supersteps[0].updates[0].as_node: Node"), // prettier-ignore
      [`${JSON.stringify(name)} in goto`]: made([[{ as_node: "first", command: { goto: name } }]], "supersteps[0].updates[0].command.goto: Node"), // prettier-ignore
      [`${JSON.stringify(name)} in a packet`]: made([[{ as_node: "first", command: { goto: [{ node: name, input: 1 }] } }]], "supersteps[0].updates[0].command.goto: Node"), // prettier-ignore
    });
  app.refuseAll({
    "goto a number": made([[{ as_node: "first", command: { goto: 5 } }]], "supersteps[0].updates[0].command.goto: expected a node name"), // prettier-ignore
    "goto a list of lists": made([[{ as_node: "first", command: { goto: [["first"]] } }]], "supersteps[0].updates[0].command.goto: expected a node name"), // prettier-ignore
    "a packet to the end": made([[{ as_node: "first", command: { goto: { node: "__end__" } } }]], "supersteps[0].updates[0].command"), // prettier-ignore
    "a command that is text": made([[{ as_node: "first", command: "go" }]], "supersteps[0].updates[0].command: must be an object"), // prettier-ignore
    "no node": made([[{ values: topic }]], "supersteps[0].updates[0].as_node: required"), // prettier-ignore
  });
});

describe("graphs and values", () => {
  app.refuseAll({
    "an unknown graph": { ...made([[input]], /^Graph|No graph/, "constructor"), status: 404 }, // prettier-ignore
    "a graph of several lines": { ...made([[input]], /^Graph|No graph/, "a\r\nb"), status: 404 }, // prettier-ignore
    "no graph": { path: "/threads", body: { supersteps: [{ updates: [input] }] }, status: 400, detail: /^Thread .* has no graph ID$/ }, // prettier-ignore
    "values that are text": made([[{ as_node: "first", values: "x" }]], "supersteps[0].updates[0].values: must be"), // prettier-ignore
    "values that are too deep": { path: "/threads", body: `{"metadata":{"graph_id":"linear"},"supersteps":[{"updates":[{"as_node":"first","values":${nested(501)}}]}]}`, detail: "supersteps[0].updates[0].values: must not be nested" }, // prettier-ignore
    "messages that are none": made([[{ as_node: "agent", values: { messages: [{ odd: 1 }] } }]], "supersteps[0].updates[0].values: ", "chat"), // prettier-ignore
    "messages of no role": made([[{ as_node: "agent", values: { messages: [{ role: "__proto__", content: "x" }] } }]], "supersteps[0].updates[0].values: ", "chat"), // prettier-ignore
  });
});
