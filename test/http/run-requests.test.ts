import { afterAll, beforeAll, expect, test } from "vitest";
import type { Run } from "../../src/model/run.ts";
import {
  fixtureGraph,
  openTestApp,
  postJson,
  type TestApp,
} from "../support/apps.ts";
import { NOBODY } from "../support/sdk.ts";

let server: TestApp;

beforeAll(async () => {
  server = await openTestApp({
    graphs: [
      fixtureGraph("linear", "state-graphs/linear.ts:graph"),
      fixtureGraph("chat", "state-graphs/chat.ts:graph"),
    ],
  });
});
afterAll(() => server.close());

async function post<T>(path: string, body: unknown) {
  const response = await postJson(server.app, path, body);
  const answer = (await response.json()) as T;
  return { status: response.status, answer };
}

async function newThread(body: object = {}): Promise<string> {
  const { answer } = await post<{ thread_id: string }>("/threads", body);
  return answer.thread_id;
}

const start = (thread_id: string, body: object) =>
  post<Run & { detail: string }>(`/threads/${thread_id}/runs`, {
    assistant_id: "linear",
    ...body,
  });

test.each<[field: string, body: object]>([
  ["config.recursion_limit", { config: { recursion_limit: "ten" } }],
  ["config.recursion_limit", { config: { recursion_limit: 0 } }],
  ["config.recursion_limit", { config: { recursion_limit: 1.5 } }],
  ["config.max_concurrency", { config: { max_concurrency: 0 } }],
  ["config.tags", { config: { tags: "one" } }],
  ["config.metadata", { config: { metadata: ["x"] } }],
  ["config.configurable", { config: { configurable: [] } }],
  ["config", { config: [] }],
  ["checkpoint_id", { checkpoint_id: "newest" }],
  ["checkpoint.checkpoint_id", { checkpoint: { checkpoint_id: "newest" } }],
  ["stream_mode", { stream_mode: ["everything"] }],
])("a wrong %s is refused by its name: %j", async (field, body) => {
  for (const path of [`/threads/${await newThread()}/runs`, "/runs"]) {
    if (path === "/runs" && field.includes("checkpoint")) continue; // has none
    const { status, answer } = await post<{ detail: string }>(path, {
      assistant_id: "linear",
      ...body,
    });
    expect([status, answer.detail]).toEqual([
      422,
      expect.stringMatching(new RegExp(`^${field}(\\[0\\])?: `)),
    ]);
  }
});

test.each([
  { recursion_limit: "ten" },
  { configurable: 5 },
  { tags: "one" },
  { metadata: 1 },
])("an assistant takes no config that a run would not: %j", async (config) => {
  const { status, answer } = await post<{ detail: string }>("/assistants", {
    graph_id: "linear",
    config,
  });
  expect([status, answer.detail]).toEqual([
    422,
    expect.stringContaining(`config.${Object.keys(config)[0]}`),
  ]);
});

test("a setting that is null leaves the assistant's", async () => {
  const { answer: assistant } = await post<{ assistant_id: string }>(
    "/assistants",
    { graph_id: "linear", config: { recursion_limit: 7, tags: ["mine"] } },
  );
  const { answer: run } = await start(await newThread(), {
    assistant_id: assistant.assistant_id,
    config: { recursion_limit: null, tags: ["yours"], configurable: null },
  });
  expect(run.kwargs.config).toMatchObject({
    recursion_limit: 7,
    tags: ["yours"],
  });
});

test("a run starts from no checkpoint that the thread does not have", async () => {
  const thread_id = await newThread({
    metadata: { graph_id: "linear" },
    supersteps: [{ updates: [{ values: {}, as_node: "__input__" }] }],
  });
  const state = await server.app.request(`/threads/${thread_id}/state`);
  const { checkpoint } = (await state.json()) as {
    checkpoint: { checkpoint_id: string };
  };
  const missing = `Checkpoint ${NOBODY} of thread ${thread_id} not found`;
  for (const body of [
    { checkpoint_id: NOBODY },
    { checkpoint: { checkpoint_id: NOBODY } },
    { checkpoint: { ...checkpoint, checkpoint_id: NOBODY } },
  ])
    expect(await start(thread_id, body)).toEqual({
      status: 404,
      answer: { detail: missing },
    });
  const { checkpoint_id } = checkpoint;
  for (const body of [{ checkpoint }, { checkpoint_id }, { checkpoint: {} }])
    expect((await start(thread_id, body)).status).toBe(200);
});

test("a run that is refused for its checkpoint leaves no thread behind", async () => {
  const thread_id = crypto.randomUUID();
  const { status } = await start(thread_id, {
    checkpoint_id: NOBODY,
    if_not_exists: "create",
  });
  expect(status).toBe(404);
  const response = await server.app.request(`/threads/${thread_id}`);
  expect(response.status).toBe(404);
});

test("the metadata of a run names its own graph, whatever the thread's was before", async () => {
  const thread_id = await newThread({
    metadata: { graph_id: "chat", topic: "tea" },
  });
  const { answer: run } = await start(thread_id, {
    metadata: { topic: "coffee" },
  });
  expect(run.metadata).toEqual({
    created_by: "system",
    graph_id: "linear",
    assistant_id: run.assistant_id,
    topic: "coffee",
  });
});

test("the stream of a stateless run says where to come back to", async () => {
  const { answer: run } = await post<Run>("/runs", { assistant_id: "linear" });
  const response = await server.app.request(`/runs/${run.run_id}/stream`);
  await response.body?.cancel();
  expect(response.headers.get("content-location")).toBe(`/runs/${run.run_id}`);
  expect(response.headers.get("location")).toBe(
    `/threads/${run.thread_id}/runs/${run.run_id}/stream`,
  );
});

test("cancelling and waiting says where to come back to", async () => {
  const { answer: run } = await start(await newThread(), {});
  const path = `/threads/${run.thread_id}/runs/${run.run_id}`;
  const response = await postJson(server.app, `${path}/cancel?wait=1`, {});
  expect(response.status).toBe(204);
  expect(response.headers.get("location")).toBe(`${path}/join`);
});

test("the info of the server says that it honours strict_resume", async () => {
  const response = await server.app.request("/info");
  expect(await response.json()).toMatchObject({
    flags: { strict_resume: true },
  });
});

test.each(["x", "-1", "1.5", ""])(
  "xray %j is told what it may be",
  async (xray) => {
    const response = await server.app.request(
      `/assistants/linear/graph?xray=${xray}`,
    );
    expect(response.status).toBe(422);
    expect(await response.json()).toMatchObject({
      detail: "xray: expected a depth or true or false",
    });
  },
);
