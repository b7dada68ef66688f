import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Json, JsonObject } from "../../src/lib/json.ts";
import { uuid7 } from "../../src/lib/uuid.ts";
import type { ThreadState } from "../../src/model/thread-state.ts";
import {
  fixtureGraph,
  openTestApp,
  postJson,
  type TestApp,
} from "../support/apps.ts";

let server: TestApp;
beforeAll(async () => {
  server = await openTestApp({
    graphs: ["linear", "nested"].map((name) =>
      fixtureGraph(name, `state-graphs/${name}.ts:graph`),
    ),
  });
});
afterAll(() => server.close());

interface Answer<Body> {
  status: number;
  body: Body;
}

async function ask<Body = JsonObject>(
  method: "GET" | "POST",
  path: string,
  body?: Json,
): Promise<Answer<Body>> {
  const response =
    method === "GET"
      ? await server.app.request(path)
      : await postJson(server.app, path, body);
  return { status: response.status, body: (await response.json()) as Body };
}

/** A thread that stands before its second node, with three states. */
async function startedThread(): Promise<string> {
  const { status, body } = await ask("POST", "/threads", {
    metadata: { graph_id: "linear" },
    supersteps: [
      {
        updates: [{ values: { topic: "rain", log: [] }, as_node: "__input__" }],
      },
      {
        updates: [{ values: { topic: "rain", log: [] }, as_node: "__start__" }],
      },
      { updates: [{ values: { log: ["one"] }, as_node: "first" }] },
    ],
  });
  expect(status).toBe(200);
  return body["thread_id"] as string;
}

async function emptyThread(metadata: JsonObject = {}): Promise<string> {
  const { body } = await ask("POST", "/threads", { metadata });
  return body["thread_id"] as string;
}

const statesOf = async (thread: string): Promise<ThreadState[]> => {
  const { body } = await ask<ThreadState[]>(
    "GET",
    `/threads/${thread}/history`,
  );
  return body;
};

const idsOf = (states: ThreadState[]) =>
  states.map(({ checkpoint }) => checkpoint?.checkpoint_id);

describe("GET /threads/{thread_id}/state", () => {
  test("answers the whole state", async () => {
    const thread = await startedThread();
    const { status, body } = await ask("GET", `/threads/${thread}/state`);
    expect(status).toBe(200);
    expect(body).toEqual({
      values: { topic: "rain", log: ["one"] },
      next: ["second"],
      tasks: [
        {
          id: expect.any(String),
          name: "second",
          path: ["__pregel_pull", "second"],
          error: null,
          interrupts: [],
          checkpoint: null,
          state: null,
          result: null,
        },
      ],
      metadata: {
        source: "update",
        step: 1,
        parents: {},
        thread_id: thread,
        graph_id: "linear",
      },
      created_at: expect.stringMatching(/^\d{4}-.*Z$/),
      checkpoint: {
        thread_id: thread,
        checkpoint_ns: "",
        checkpoint_id: expect.any(String),
        checkpoint_map: null,
      },
      parent_checkpoint: {
        thread_id: thread,
        checkpoint_ns: "",
        checkpoint_id: expect.any(String),
        checkpoint_map: null,
      },
      interrupts: [],
    });
  });

  test("answers an empty state before the first run", async () => {
    const { status, body } = await ask(
      "GET",
      `/threads/${await emptyThread()}/state`,
    );
    expect(status).toBe(200);
    expect(body).toEqual({
      values: {},
      next: [],
      tasks: [],
      metadata: null,
      created_at: null,
      checkpoint: null,
      parent_checkpoint: null,
      interrupts: [],
    });
  });

  test.each([
    ["subgraphs=true", false],
    ["subgraphs=True", false],
    ["subgraphs=1", false],
    ["subgraphs=yes", false],
    ["subgraphs=false", true],
    ["subgraphs=0", true],
    ["", true],
  ])("understands %j", async (query, hasCheckpoint) => {
    const { body: thread } = await ask("POST", "/threads", {
      metadata: { graph_id: "nested" },
      supersteps: [{ updates: [{ values: { city: "sf" }, as_node: "route" }] }],
    });
    const { body } = await ask<ThreadState>(
      "GET",
      `/threads/${String(thread["thread_id"])}/state?${query}`,
    );
    const [task] = body.tasks;
    expect(task).toMatchObject({ name: "forecaster" });
    expect(task?.checkpoint !== null).toBe(hasCheckpoint);
    expect(task?.state === null).toBe(hasCheckpoint);
  });

  test.each([
    "select=next&select=values.log",
    `select=${encodeURIComponent('["next","values.log"]')}`,
    "select=next,values.log",
  ])("answers only what is selected by ?%s", async (query) => {
    const thread = await startedThread();
    const { body } = await ask("GET", `/threads/${thread}/state?${query}`);
    expect(body).toEqual({ next: ["second"], values: { log: ["one"] } });
  });

  test("refuses a field that a state does not have", async () => {
    const thread = await startedThread();
    const { status, body } = await ask(
      "GET",
      `/threads/${thread}/state?select=next&select=colour`,
    );
    expect(status).toBe(422);
    expect(body["detail"]).toMatch(/^select\[1\]: must be one of values, next/);
  });

  test("answers 404 for an unknown thread and 422 for no UUID", async () => {
    const id = uuid7();
    expect(await ask("GET", `/threads/${id}/state`)).toEqual({
      status: 404,
      body: { detail: `Thread with ID ${id} not found` },
    });
    expect(await ask("GET", "/threads/42/state")).toMatchObject({
      status: 422,
      body: { detail: "thread_id: must be a UUID" },
    });
  });
});

describe("the state at a checkpoint", () => {
  test("is answered by path and by body", async () => {
    const thread = await startedThread();
    const [, middle] = await statesOf(thread);
    const checkpoint_id = middle?.checkpoint?.checkpoint_id;
    const byPath = await ask(
      "GET",
      `/threads/${thread}/state/${checkpoint_id}`,
    );
    const byBody = await ask("POST", `/threads/${thread}/state/checkpoint`, {
      checkpoint: {
        checkpoint_id: checkpoint_id ?? null,
        checkpoint_ns: "",
        checkpoint_map: null,
        thread_id: uuid7(), // the path counts
      },
      subgraphs: false,
    });
    expect(byPath).toEqual({ status: 200, body: middle });
    expect(byBody).toEqual(byPath);
  });

  test("can be selected from", async () => {
    const thread = await startedThread();
    const [newest] = await statesOf(thread);
    const id = newest?.checkpoint?.checkpoint_id;
    const byPath = await ask(
      "GET",
      `/threads/${thread}/state/${id}?select=next&subgraphs=true`,
    );
    const byBody = await ask("POST", `/threads/${thread}/state/checkpoint`, {
      checkpoint: {},
      subgraphs: "true",
      select: ["next"],
    });
    expect(byPath.body).toEqual({ next: ["second"] });
    expect(byBody.body).toEqual({ next: ["second"] });
  });

  test("is 404 when it does not exist", async () => {
    const thread = await startedThread();
    const id = uuid7();
    const missing = {
      status: 404,
      body: { detail: `Checkpoint ${id} of thread ${thread} not found` },
    };
    expect(await ask("GET", `/threads/${thread}/state/${id}`)).toEqual(missing);
    expect(
      await ask("POST", `/threads/${thread}/state/checkpoint`, {
        checkpoint: { checkpoint_id: id },
      }),
    ).toEqual(missing);
  });

  test.each<[string, Json]>([
    ["checkpoint: required", {}],
    [
      "checkpoint.checkpoint_id: must be a UUID",
      { checkpoint: { checkpoint_id: "x" } },
    ],
    [
      "subgraphs: must be true or false",
      { checkpoint: {}, subgraphs: "maybe" },
    ],
    [
      "checkpoint.checkpoint_map: must map namespaces to checkpoint ids",
      { checkpoint: { checkpoint_map: { "": 1 } } },
    ],
  ])("is 422 with %j", async (detail, body) => {
    const thread = await startedThread();
    expect(
      await ask("POST", `/threads/${thread}/state/checkpoint`, body),
    ).toMatchObject({ status: 422, body: { detail } });
  });
});

describe("POST /threads/{thread_id}/state", () => {
  test("answers the checkpoint in every place where clients look for it", async () => {
    const thread = await startedThread();
    const { status, body } = await ask("POST", `/threads/${thread}/state`, {
      values: { log: ["two"] },
      as_node: "second",
    });
    const state = await ask<ThreadState>("GET", `/threads/${thread}/state`);
    expect(status).toBe(200);
    expect(body).toEqual({
      checkpoint: state.body.checkpoint,
      configurable: state.body.checkpoint,
      checkpoint_id: state.body.checkpoint?.checkpoint_id,
    });
    expect(state.body).toMatchObject({
      values: { log: ["one", "two"] },
      next: [],
    });
    expect(await ask("GET", `/threads/${thread}`)).toMatchObject({
      body: { status: "idle", values: { log: ["one", "two"] } },
    });
  });

  test.each(["checkpoint", "checkpoint_id"] as const)(
    "forks from %s",
    async (field) => {
      const thread = await startedThread();
      const [, base] = await statesOf(thread);
      const checkpoint_id = base?.checkpoint?.checkpoint_id ?? "";
      await ask("POST", `/threads/${thread}/state`, {
        values: { log: ["other"] },
        as_node: "first",
        ...(field === "checkpoint"
          ? { checkpoint: { checkpoint_id } }
          : { checkpoint_id }),
      });
      const { body } = await ask<ThreadState>(
        "GET",
        `/threads/${thread}/state`,
      );
      expect(body).toMatchObject({
        values: { log: ["other"] },
        parent_checkpoint: { checkpoint_id },
      });
    },
  );

  test("takes null, and ignores a command", async () => {
    const thread = await startedThread();
    const { status } = await ask("POST", `/threads/${thread}/state`, {
      values: null,
      as_node: "second",
      checkpoint: null,
      checkpoint_id: null,
      command: { goto: "first" },
    });
    expect(status).toBe(200);
    const { body } = await ask<ThreadState>("GET", `/threads/${thread}/state`);
    expect(body).toMatchObject({ values: { log: ["one"] }, next: [] });
  });

  test.each<[number, string, Json]>([
    [
      422,
      'as_node: Node "third" does not exist',
      { values: {}, as_node: "third" },
    ],
    [422, "values: must be an object, an array or null", { values: 7 }],
    [422, "as_node: expected string", { values: {}, as_node: 7 }],
    [422, "checkpoint_id: must be a UUID", { values: {}, checkpoint_id: "x" }],
    [
      422,
      'checkpoint.checkpoint_ns: Subgraph "other" not found',
      { values: {}, checkpoint: { checkpoint_ns: "other:1" } },
    ],
  ])("answers %i %j", async (status, detail, body) => {
    const thread = await startedThread();
    const states = await statesOf(thread);
    expect(await ask("POST", `/threads/${thread}/state`, body)).toMatchObject({
      status,
      body: { detail },
    });
    expect(await statesOf(thread)).toEqual(states);
  });

  test("answers 404 for an unknown thread and 400 without a graph", async () => {
    const id = uuid7();
    expect(await ask("POST", `/threads/${id}/state`, { values: {} })).toEqual({
      status: 404,
      body: { detail: `Thread ${id} not found` },
    });
    const thread = await emptyThread();
    expect(
      await ask("POST", `/threads/${thread}/state`, { values: {} }),
    ).toEqual({
      status: 400,
      body: { detail: `Thread ${thread} has no graph ID` },
    });
    const orphan = await emptyThread({ graph_id: "gone" });
    expect(
      await ask("POST", `/threads/${orphan}/state`, { values: {} }),
    ).toEqual({ status: 404, body: { detail: 'Graph "gone" not found' } });
  });

  test("answers 409 while a run waits, even a delayed one", async () => {
    const thread = await startedThread();
    const run = await ask("POST", `/threads/${thread}/runs`, {
      assistant_id: "linear",
      after_seconds: 3600,
    });
    expect(run.status).toBe(200);
    expect(
      await ask("POST", `/threads/${thread}/state`, {
        values: {},
        as_node: "second",
      }),
    ).toEqual({ status: 409, body: { detail: "Thread is busy" } });
  });
});

describe("the history", () => {
  test("has ten states by GET and one by POST unless told otherwise", async () => {
    const thread = await startedThread();
    for (let count = 0; count < 8; count += 1)
      await ask("POST", `/threads/${thread}/state`, {
        values: {},
        as_node: "second",
      });
    const path = `/threads/${thread}/history`;
    const sizes = async (method: "GET" | "POST", query: string, body?: Json) =>
      (await ask<ThreadState[]>(method, path + query, body)).body.length;
    expect(await sizes("GET", "")).toBe(10);
    expect(await sizes("GET", "?limit=1000")).toBe(11);
    expect(await sizes("GET", "?limit=3")).toBe(3);
    expect(await sizes("POST", "", {})).toBe(1);
    expect(await sizes("POST", "", { limit: 4 })).toBe(4);
  });

  test("goes on before a checkpoint, whichever form names it", async () => {
    const thread = await startedThread();
    const states = await statesOf(thread);
    const [newest, ...older] = idsOf(states);
    const path = `/threads/${thread}/history`;
    expect(
      idsOf((await ask<ThreadState[]>("GET", `${path}?before=${newest}`)).body),
    ).toEqual(older);
    const checkpoint = states[0]?.checkpoint as unknown as JsonObject;
    for (const before of [
      newest ?? null,
      checkpoint,
      { configurable: checkpoint },
    ]) {
      const { body } = await ask<ThreadState[]>("POST", path, {
        limit: 10,
        before,
      });
      expect(idsOf(body)).toEqual(older);
    }
    for (const before of [null, {}, { configurable: {} }]) {
      const { body } = await ask<ThreadState[]>("POST", path, {
        limit: 10,
        before,
      });
      expect(idsOf(body)).toEqual([newest, ...older]);
    }
  });

  test("can be filtered, and selected from", async () => {
    const thread = await startedThread();
    const { body } = await ask("POST", `/threads/${thread}/history`, {
      limit: 10,
      metadata: { source: "update" },
      checkpoint: { checkpoint_ns: "" },
      select: ["next", "values.log"],
    });
    expect(body).toEqual([
      { next: ["second"], values: { log: ["one"] } },
      { next: ["first"], values: { log: [] } },
    ]);
  });

  test("is empty before the first run, and 404 for an unknown thread", async () => {
    const thread = await emptyThread();
    expect(await ask("GET", `/threads/${thread}/history`)).toEqual({
      status: 200,
      body: [],
    });
    const id = uuid7();
    const missing = {
      status: 404,
      body: { detail: `Thread with ID ${id} not found` },
    };
    expect(await ask("GET", `/threads/${id}/history`)).toEqual(missing);
    expect(await ask("POST", `/threads/${id}/history`, {})).toEqual(missing);
  });

  test.each<[string, Json]>([
    ["limit", { limit: 0 }],
    ["limit", { limit: 1001 }],
    ["limit", { limit: "10" }],
    ["before", { before: "yesterday" }],
    ["before", { before: { configurable: { checkpoint_id: "x" } } }],
    ["metadata", { metadata: [] }],
    ["select", { select: ["colour"] }],
    ["checkpoint", { checkpoint: "x" }],
  ])("is 422 with a wrong %s", async (field, body) => {
    const thread = await startedThread();
    const answer = await ask("POST", `/threads/${thread}/history`, body);
    expect(answer.status).toBe(422);
    expect(answer.body["detail"]).toMatch(new RegExp(`^${field}`));
  });

  test.each(["limit=0", "limit=1001", "limit=ten", "before=x"])(
    "is 422 with ?%s",
    async (query) => {
      const thread = await startedThread();
      const { status } = await ask(
        "GET",
        `/threads/${thread}/history?${query}`,
      );
      expect(status).toBe(422);
    },
  );
});
