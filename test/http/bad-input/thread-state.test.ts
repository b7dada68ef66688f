import { beforeAll, describe } from "vitest";
import { NOBODY } from "../../support/sdk.ts";
import {
  BadInputApp,
  nested,
  type BadRequest,
} from "../../support/bad-input.ts";

const app = new BadInputApp();
let thread = "";
let blank = "";
beforeAll(async () => {
  thread = await app.thread();
  ({ thread_id: blank } = await app.succeed<{ thread_id: string }>({
    path: "/threads",
  }));
});

type Partly = Omit<BadRequest, "path"> & { query?: string };

/** Of the thread, which is there when the tests run only. */
const of = (rest: string, table: Record<string, Partly>) =>
  app.refuseAll(
    Object.fromEntries(
      Object.entries(table).map(([name, { query = "", ...request }]) => [
        name,
        () => ({ ...request, path: `/threads/${thread}${rest}${query}` }),
      ]),
    ),
  );

const missing = { status: 404, detail: /^(Thread|Checkpoint) .*not found$/ };

describe("reading", () => {
  const method = "GET";
  of("/state", {
    "an unknown field": { method, query: "?select=rows", detail: "select[0]: must be one of" }, // prettier-ignore
    "a field of SQL": { method, query: "?select=values&select=*", detail: "select[1]: must be one of" }, // prettier-ignore
    "a key that is empty": { method, query: "?select=values.", detail: "select[0]: must be one of" }, // prettier-ignore
    "subgraphs that are neither": { method, query: "?subgraphs=maybe", detail: "subgraphs: must be true or false" }, // prettier-ignore
    "subgraphs twice": { method, query: "?subgraphs=1&subgraphs=0", detail: "subgraphs: must be true or false" }, // prettier-ignore
  });
  of("/state/newest", {
    "a checkpoint that is none": { method, detail: "checkpoint_id: must be a UUID" }, // prettier-ignore
  });
  of(`/state/${NOBODY}`, { "a checkpoint of nobody": { method, ...missing } });
  of("/state/checkpoint", {
    "no checkpoint": { body: {}, detail: "checkpoint: " },
    "a checkpoint that is text": { body: { checkpoint: NOBODY }, detail: "checkpoint: expected object" }, // prettier-ignore
    "an id that is none": { body: { checkpoint: { checkpoint_id: "x\r\ny" } }, detail: "checkpoint.checkpoint_id: must be a UUID" }, // prettier-ignore
    "a namespace that is none": { body: { checkpoint: { checkpoint_ns: [] } }, detail: "checkpoint.checkpoint_ns: expected string" }, // prettier-ignore
    "a map of numbers": { body: { checkpoint: { checkpoint_map: { a: 1 } } }, detail: "checkpoint.checkpoint_map: must map" }, // prettier-ignore
    "a checkpoint of nobody": { body: { checkpoint: { checkpoint_id: NOBODY } }, ...missing }, // prettier-ignore
    "an unknown field": { body: { checkpoint: {}, select: ["constructor"] }, detail: "select[0]: must be one of" }, // prettier-ignore
  });
  of("/history", {
    "no states": { method, query: "?limit=0", detail: "limit: " },
    "too many": { method, query: "?limit=1001", detail: "limit: " },
    "a limit of SQL": { method, query: "?limit=1;drop", detail: "limit: must be an integer" }, // prettier-ignore
    "a limit in hexadecimal": { method, query: "?limit=0x10", detail: "limit: must be an integer" }, // prettier-ignore
    "before nothing": { method, query: "?before=now", detail: "before: must be a UUID" }, // prettier-ignore
    "too many, in a body": { body: { limit: 1001 }, detail: "limit: " },
    "before a number": { body: { before: 1 }, detail: "before: " },
    "before nothing, in a config": { body: { before: { configurable: { checkpoint_id: "x" } } }, detail: "before" }, // prettier-ignore
    "metadata that is text": { body: { metadata: "x" }, detail: "metadata: must be an object" }, // prettier-ignore
  });
  app.refuseAll({
    "the state of nobody": { method, path: `/threads/${NOBODY}/state`, ...missing }, // prettier-ignore
    "the history of nobody": { method, path: `/threads/${NOBODY}/history`, ...missing }, // prettier-ignore
    "the history of nobody, in a body": { path: `/threads/${NOBODY}/history`, body: {}, ...missing }, // prettier-ignore
  });
});

describe("updating", () => {
  const values = { topic: "coffee" };
  of("/state", {
    "values that are text": { body: { values: "x" }, detail: "values: must be an object" }, // prettier-ignore
    "values that are too deep": { body: `{"values":${nested(501)}}`, detail: "values: must not be nested deeper than 500 levels" }, // prettier-ignore
    "a node that is none": { body: { values, as_node: 5 }, detail: "as_node: expected string" }, // prettier-ignore
    "an unnamed node": { body: { values, as_node: "" }, detail: "as_node: " },
    "an unknown node": { body: { values, as_node: "third" }, detail: 'as_node: Node "third" does not exist' }, // prettier-ignore
    "a node of several lines": { body: { values, as_node: "a\r\nb" }, detail: 'as_node: Node "a\r\nb" does not exist' }, // prettier-ignore
    "a node with NUL": { body: { values, as_node: "first\u0000" }, detail: 'as_node: Node "first\ufffd" does not exist' }, // prettier-ignore
    "a node as long as a book": { body: { values, as_node: "x".repeat(500_000) }, detail: 'as_node: Node "xxx' }, // prettier-ignore
    "what every object inherits": { body: { values, as_node: "constructor" }, detail: 'as_node: Node "constructor" does not exist' }, // prettier-ignore
    "the prototype": { body: { values, as_node: "__proto__" }, detail: 'as_node: Node "__proto__" does not exist' }, // prettier-ignore
    "no input as input": { body: { values: null, as_node: "__input__" }, detail: "values: " }, // prettier-ignore
    "an unknown subgraph": { body: { values, checkpoint: { checkpoint_ns: "a\nb" } }, detail: 'checkpoint.checkpoint_ns: Subgraph "a\nb" not found' }, // prettier-ignore
    "an inherited subgraph": { body: { values, checkpoint: { checkpoint_ns: "__proto__" } }, detail: "checkpoint.checkpoint_ns: Subgraph" }, // prettier-ignore
    "a checkpoint that is none": { body: { values, checkpoint_id: "1" }, detail: "checkpoint_id: must be a UUID" }, // prettier-ignore
    "a checkpoint of nobody": { body: { values, checkpoint_id: NOBODY }, ...missing }, // prettier-ignore
    "metadata that is a list": { method: "PATCH", body: { metadata: [] }, detail: "metadata: must be an object" }, // prettier-ignore
  });
  app.refuseAll({
    "a thread of nobody": { path: `/threads/${NOBODY}/state`, body: { values }, ...missing }, // prettier-ignore
    "a thread without a graph": () => ({ path: `/threads/${blank}/state`, body: { values }, status: 400, detail: `Thread ${blank} has no graph ID` }), // prettier-ignore
  });
});
