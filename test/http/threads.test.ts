import { describe, expect, test } from "vitest";
import type { JsonObject } from "../../src/lib/json.ts";
import { uuid7 } from "../../src/lib/uuid.ts";
import { badRequest, invalid, notFound } from "../../src/model/errors.ts";
import { DataApp } from "../support/data-app.ts";
import { fieldsOf, refusalOf } from "../support/http.ts";
import {
  giveValues,
  stagedUpdate,
  workersThatAnswer,
} from "../support/threads.ts";
import { sortedJson } from "../support/sorted-json.ts";

const app = new DataApp("threads");

const { post, get, thread: make } = app;

describe("POST /threads", () => {
  test("without a body creates an empty thread", async () => {
    for (const body of [undefined, "", "{}", "null"].slice(0, 3)) {
      const { status, body: thread } = await post("/threads", body);
      expect(status).toBe(200);
      expect(thread).toMatchObject({
        metadata: {},
        config: {},
        status: "idle",
        values: null,
        interrupts: {},
        error: null,
      });
    }
  });

  test("takes null for absent and ignores unknown keys", async () => {
    const { status, body } = await post("/threads", {
      thread_id: null,
      metadata: null,
      if_exists: null,
      ttl: null,
      supersteps: null,
      graph_id: "ignored",
    });
    expect(status).toBe(200);
    expect(body).toMatchObject({ metadata: {} });
  });

  test("with a taken id is 409, with do_nothing the thread that is there", async () => {
    const thread = await make({ metadata: { a: 1 } });
    const { thread_id } = thread;
    expect(refusalOf(await post("/threads", { thread_id }))).toEqual([
      409,
      "Thread already exists",
    ]);
    const again = await post("/threads", {
      thread_id,
      if_exists: "do_nothing",
      metadata: { a: 2 },
    });
    expect(again).toMatchObject({ status: 200, body: thread });
  });

  test.each([
    ["thread_id", { thread_id: "abc" }],
    ["thread_id", { thread_id: 7 }],
    ["metadata", { metadata: [] }],
    ["metadata", { metadata: "x" }],
    ["if_exists", { if_exists: "maybe" }],
    ["ttl.ttl", { ttl: -1 }],
    ["ttl.ttl", { ttl: 0 }],
    ["ttl.ttl", { ttl: 1e300 }],
    ["ttl.ttl", { ttl: { strategy: "delete" } }],
    ["ttl.strategy", { ttl: { ttl: 1, strategy: "later" } }],
    ["ttl", { ttl: "5" }],
    ["supersteps", { supersteps: {} }],
    ["supersteps[0].updates", { supersteps: [{}] }],
    ["supersteps[0].updates", { supersteps: [{ updates: [] }] }],
    [
      "supersteps[0].updates[1].as_node",
      { supersteps: [{ updates: [{ as_node: "a" }, {}] }] },
    ],
    [
      "supersteps[0].updates[0].as_node",
      { supersteps: [{ updates: [{ as_node: "" }] }] },
    ],
    [
      "supersteps[0].updates[0].values",
      { supersteps: [{ updates: [{ as_node: "a", values: 1 }] }] },
    ],
    [
      "supersteps[0].updates[0].command",
      { supersteps: [{ updates: [{ as_node: "a", command: [] }] }] },
    ],
  ])("names the field %s of a wrong body", async (field, body) => {
    const answer = await post("/threads", body);
    expect(answer.status).toBe(422);
    expect(fieldsOf(answer)).toEqual([field]);
    expect(refusalOf(answer)[1]).toMatch(
      new RegExp(`^${field.replaceAll(/[.[\]]/g, "\\$&")}: `),
    );
  });

  test.each(["[]", "7", '"text"', "null", "{", "\u0000"])(
    "a body of %j is 422",
    async (body) => {
      expect((await post("/threads", body)).status).toBe(422);
    },
  );

  test("metadata that is nested too deep is 422", async () => {
    const deep = `${'{"a":'.repeat(505)}1${"}".repeat(505)}`;
    expect(fieldsOf(await post("/threads", `{"metadata":${deep}}`))).toEqual([
      "metadata",
    ]);
    const abyss = `{"metadata":${"[".repeat(50_000)}${"]".repeat(50_000)}}`;
    expect((await post("/threads", abyss)).status).toBe(422);
  });

  test("NUL, quotes, percent signs and prototype keys are data", async () => {
    const metadata = `{"__proto__":{"x":1},"constructor":"c","it's":"100%","":[null]}`;
    const { body } = await post("/threads", `{"metadata":${metadata}}`);
    expect(sortedJson((body as JsonObject)["metadata"])).toBe(
      sortedJson(JSON.parse(metadata)),
    );
    const nul = await post("/threads", '{"metadata":{"a\\u0000":"\\u0000"}}');
    expect(nul.body).toMatchObject({ metadata: { "a\ufffd": "\ufffd" } });
  });

  test("with supersteps answers the thread with its values", async () => {
    const thread_id = uuid7();
    app.serve({ workers: workersThatAnswer(() => stagedUpdate(thread_id)) });
    const { status, body } = await post("/threads", {
      thread_id,
      metadata: { graph_id: "g" },
      supersteps: [
        { updates: [{ as_node: "__input__", values: { topic: "tea" } }] },
      ],
    });
    expect(status).toBe(200);
    expect(body).toMatchObject({
      thread_id,
      values: { topic: "tea" },
      status: "idle",
    });
  });

  test.each([
    [422, invalid("supersteps[0].updates[0]", "there is no node x")],
    [404, notFound('Graph "g" not found')],
    [400, badRequest("no")],
  ])(
    "with supersteps that fail is %i with the reason, and leaves no thread",
    async (status, error) => {
      const thread_id = uuid7();
      app.serve({ workers: workersThatAnswer(() => Promise.reject(error)) });
      const supersteps = [{ updates: [{ as_node: "x" }] }];
      const answer = await post("/threads", {
        thread_id,
        metadata: { graph_id: "g" },
        supersteps,
      });
      expect(refusalOf(answer)).toEqual([status, error.message]);
      expect((await get(`/threads/${thread_id}`)).status).toBe(404);
    },
  );

  test("with supersteps and no graph is 400", async () => {
    const thread_id = uuid7();
    const supersteps = [{ updates: [{ as_node: "x" }] }];
    expect(
      refusalOf(await post("/threads", { thread_id, supersteps })),
    ).toEqual([400, `Thread ${thread_id} has no graph ID`]);
  });
});

describe("GET /threads/{thread_id}", () => {
  test("shows the time to live when it is asked for, in any spelling of a list", async () => {
    const thread = await make({ ttl: { ttl: 5, strategy: "keep_latest" } });
    const path = `/threads/${thread.thread_id}`;
    expect((await get(path)).body).toEqual(thread);
    expect(thread).not.toHaveProperty("ttl");
    for (const query of [
      "include=ttl",
      "include=x,ttl",
      "include=x&include=ttl",
      "include=%5B%22ttl%22%5D",
    ])
      expect((await get(`${path}?${query}`)).body).toEqual({
        ...thread,
        ttl: {
          strategy: "keep_latest",
          ttl_minutes: 5,
          expires_at: new Date(
            Date.parse(String(thread["updated_at"])) + 300_000,
          ).toISOString(),
        },
      });
    for (const query of ["include=", "include=other", "other=ttl"])
      expect((await get(`${path}?${query}`)).body).toEqual(thread);
  });

  test("unknown is 404, no UUID is 422", async () => {
    const id = uuid7();
    expect(refusalOf(await get(`/threads/${id}`))).toEqual([
      404,
      `Thread with ID ${id} not found`,
    ]);
    for (const bad of [
      "abc",
      "00000000-0000-0000-0000-00000000000g",
      `${id}x`,
      "%00",
      "'--",
    ])
      expect(fieldsOf(await get(`/threads/${bad}`))).toEqual(["thread_id"]);
    expect(
      (await get("/threads/00000000-0000-0000-0000-000000000000")).status,
    ).toBe(404);
  });

  test("an id in capitals is the same thread", async () => {
    const { thread_id } = await make();
    const { body } = await get(`/threads/${thread_id.toUpperCase()}`);
    expect(body).toMatchObject({ thread_id });
  });
});

describe("PATCH /threads/{thread_id}", () => {
  test("merges metadata and answers the thread", async () => {
    const { thread_id } = await make({ metadata: { a: 1, b: { c: 1 } } });
    const patched = await app.send(["PATCH", `/threads/${thread_id}`], {
      metadata: { b: { d: 2 } },
      ttl: 60,
    });
    expect(patched.status).toBe(200);
    expect(patched.body).toMatchObject({ metadata: { a: 1, b: { d: 2 } } });
    const { body } = await get(`/threads/${thread_id}?include=ttl`);
    expect(body).toMatchObject({
      ttl: { strategy: "delete", ttl_minutes: 60 },
    });
  });

  test.each([
    "return=minimal",
    "respond-async, return=minimal",
    'Return="minimal"; x=1',
  ])("with Prefer: %s answers 204 without a body", async (prefer) => {
    const { thread_id } = await make();
    const route = ["PATCH", `/threads/${thread_id}`] as const;
    const answer = await app.send(
      route,
      { metadata: { a: 1 } },
      { Prefer: prefer },
    );
    expect(answer).toMatchObject({ status: 204, body: "" });
    expect((await get(`/threads/${thread_id}`)).body).toMatchObject({
      metadata: { a: 1 },
    });
    for (const other of [
      "return=representation",
      "xreturn=minimal",
      "return=minimalist",
    ])
      expect((await app.send(route, {}, { Prefer: other })).status).toBe(200);
  });

  test("unknown is 404, wrong is 422 and changes nothing", async () => {
    const missing = await app.send(["PATCH", `/threads/${uuid7()}`], {
      metadata: {},
    });
    expect(refusalOf(missing)).toEqual([404, "Thread not found"]);
    const { thread_id } = await make({ metadata: { a: 1 } });
    for (const body of [{ metadata: { a: 2 }, ttl: "x" }, { metadata: 1 }])
      expect(
        (await app.send(["PATCH", `/threads/${thread_id}`], body)).status,
      ).toBe(422);
    expect((await get(`/threads/${thread_id}`)).body).toMatchObject({
      metadata: { a: 1 },
    });
  });
});

test("PATCH /threads/{thread_id}/state merges metadata and answers 204", async () => {
  const { thread_id } = await make({ metadata: { a: 1 } });
  const route = ["PATCH", `/threads/${thread_id}/state`] as const;
  expect(await app.send(route, { metadata: { b: 2 } })).toMatchObject({
    status: 204,
    body: "",
  });
  expect((await get(`/threads/${thread_id}`)).body).toMatchObject({
    metadata: { a: 1, b: 2 },
  });
  expect((await app.send(route, { metadata: [] })).status).toBe(422);
  expect(
    (await app.send(["PATCH", `/threads/${uuid7()}/state`], {})).status,
  ).toBe(404);
});

test("DELETE /threads/{thread_id} answers 204, then 404", async () => {
  const { thread_id } = await make();
  const route = ["DELETE", `/threads/${thread_id}`] as const;
  expect(await app.send(route)).toMatchObject({ status: 204, body: "" });
  expect(refusalOf(await app.send(route))).toEqual([
    404,
    `Thread with ID ${thread_id} not found`,
  ]);
  expect((await app.send(["DELETE", "/threads/x"])).status).toBe(422);
});

test("POST /threads/{thread_id}/copy answers the copy; 409 when there is nothing to copy", async () => {
  const { thread_id } = await make({ metadata: { a: 1 } });
  await giveValues(app.database, thread_id, { x: 1 });
  const { status, body } = await post(`/threads/${thread_id}/copy`);
  const copy = body as JsonObject;
  expect(status).toBe(200);
  expect(copy).toMatchObject({
    metadata: { a: 1, thread_id: copy["thread_id"] },
    values: { x: 1 },
  });
  expect(copy["thread_id"]).not.toBe(thread_id);
  expect(refusalOf(await post(`/threads/${uuid7()}/copy`))).toEqual([
    409,
    "Thread not found",
  ]);
});

test("GET /threads/{thread_id}/storage reports sizes", async () => {
  const { thread_id } = await make();
  const nothing = { count: 0, bytes: 0 };
  expect((await get(`/threads/${thread_id}/storage`)).body).toEqual({
    thread_id,
    total_bytes: 0,
    checkpoints: nothing,
    channel_values: { ...nothing, by_channel: {} },
    pending_writes: nothing,
  });
  expect((await get(`/threads/${uuid7()}/storage`)).status).toBe(404);
});

test("the OpenAPI document describes every endpoint of threads", async () => {
  const { body } = await get("/openapi.json");
  const paths = (body as { paths: Record<string, object> }).paths;
  const routes = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method} ${path}`),
  );
  for (const route of [
    "post /threads",
    "post /threads/search",
    "post /threads/count",
    "post /threads/prune",
    "get /threads/{thread_id}",
    "patch /threads/{thread_id}",
    "delete /threads/{thread_id}",
    "post /threads/{thread_id}/copy",
    "patch /threads/{thread_id}/state",
    "get /threads/{thread_id}/storage",
  ])
    expect(routes).toContain(route);
});
