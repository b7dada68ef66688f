import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Assistant } from "../../src/model/assistant.ts";
import { registerGraphs } from "../../src/services/system-assistants.ts";
import {
  fixtureGraph,
  openTestApp,
  postJson,
  type TestApp,
} from "../support/apps.ts";

let server: TestApp;
const GRAPHS = [
  fixtureGraph("nested", "state-graphs/nested.ts:graph"),
  fixtureGraph("linear", "state-graphs/linear.ts:graph"),
];

beforeAll(async () => {
  server = await openTestApp({ graphs: GRAPHS });
});
afterAll(() => server.close());

interface Answer<Body> {
  status: number;
  body: Body;
}

async function send<Body = Assistant>(
  method: string,
  path: string,
  body?: object,
): Promise<Answer<Body>> {
  const response = await server.app.request(path, {
    method,
    headers: { "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as Body };
}

const create = async (input: object = {}): Promise<Assistant> => {
  const answer = await send("POST", "/assistants", {
    graph_id: "nested",
    ...input,
  });
  expect(answer).toMatchObject({ status: 200 });
  return answer.body;
};

const patch = async (id: string, changes: object): Promise<Assistant> => {
  const answer = await send("PATCH", `/assistants/${id}`, changes);
  expect(answer).toMatchObject({ status: 200 });
  return answer.body;
};

const read = async (id: string) =>
  (await send("GET", `/assistants/${id}`)).body;

const ID = "0191D0A4-0000-7000-8000-00000000000A";
const refused = (status: number, detail: string) => ({
  status,
  body: expect.objectContaining({ detail }),
});

describe("creating", () => {
  test("a graph is all it takes", async () => {
    const assistant = await create();
    expect(assistant).toEqual({
      assistant_id: expect.stringMatching(/^[0-9a-f-]{14}7/),
      graph_id: "nested",
      name: "Untitled",
      description: null,
      config: {},
      context: {},
      metadata: {},
      version: 1,
      created_at: expect.any(String),
      updated_at: assistant.created_at,
    });
    expect(await read(assistant.assistant_id)).toEqual(assistant);
  });

  test("keeps what it is given", async () => {
    const given = {
      graph_id: "linear",
      name: "Mine",
      description: "for tests",
      metadata: { team: "a" },
      config: { tags: ["x"], configurable: { model: "m" }, own: 1 },
      context: { tone: "dry" },
    };
    expect(await create(given)).toMatchObject(given);
  });

  test("context and config.configurable follow each other when one is given", async () => {
    const fromConfig = await create({ config: { configurable: { a: 1 } } });
    const fromContext = await create({
      config: { tags: ["x"] },
      context: { b: 2 },
    });
    expect(fromConfig.context).toEqual({ a: 1 });
    expect(fromContext.config).toEqual({
      tags: ["x"],
      configurable: { b: 2 },
    });
  });

  test("an id that is taken is 409, or with do_nothing the one that is there", async () => {
    const first = await create({ assistant_id: ID, name: "first" });
    const input = { graph_id: "linear", assistant_id: ID, name: "second" };
    const again = await send("POST", "/assistants", input);
    const kept = await create({ ...input, if_exists: "do_nothing" });
    expect(first.assistant_id).toBe(ID.toLowerCase());
    expect(again).toEqual(refused(409, "Assistant already exists"));
    expect(kept).toEqual(first);
  });

  test("an unknown graph is 404", async () => {
    expect(await send("POST", "/assistants", { graph_id: "nix" })).toEqual(
      refused(404, "Graph 'nix' not found"),
    );
  });

  test.each([
    [{}, "graph_id: required"],
    [{ graph_id: "nested", assistant_id: "x" }, "assistant_id: must be a UUID"],
    [{ graph_id: "nested", config: [] }, "config: must be an object"],
    [
      { graph_id: "nested", if_exists: "replace" },
      "if_exists: must be one of raise, do_nothing",
    ],
  ])("%j is 422", async (input, detail) => {
    expect(await send("POST", "/assistants", input)).toEqual(
      refused(422, detail),
    );
  });
});

describe("versions", () => {
  const versions = async (id: string, search: object = {}) =>
    (await send<Assistant[]>("POST", `/assistants/${id}/versions`, search))
      .body;

  test("a change merges metadata, replaces the rest, and keeps what it does not name", async () => {
    const { assistant_id } = await create({
      name: "before",
      config: { tags: ["x"], configurable: { a: 1 } },
      metadata: { kept: 1, changed: 1 },
    });
    const changed = await patch(assistant_id, {
      metadata: { changed: 2, added: 3 },
      config: { configurable: { b: 2 } },
    });
    expect(changed).toMatchObject({
      version: 2,
      name: "before",
      config: { configurable: { b: 2 } },
      context: { b: 2 },
      metadata: { kept: 1, changed: 2, added: 3 },
    });
    expect(changed.config).not.toHaveProperty("tags");
    expect(await read(assistant_id)).toEqual(changed);
  });

  test("a new context leaves the rest of the config alone", async () => {
    const { assistant_id } = await create({ config: { tags: ["x"] } });
    expect(await patch(assistant_id, { context: { b: 2 } })).toMatchObject({
      config: { tags: ["x"], configurable: { b: 2 } },
      context: { b: 2 },
    });
  });

  test("an empty change is a version too", async () => {
    const { assistant_id } = await create();
    await patch(assistant_id, {});
    expect((await patch(assistant_id, {})).version).toBe(3);
  });

  test("going back restores all of a version, and the next one still has the highest number", async () => {
    const { assistant_id } = await create({
      name: "one",
      description: "first",
      context: { n: 1 },
      metadata: { n: 1 },
    });
    await patch(assistant_id, {
      graph_id: "linear",
      name: "two",
      description: "second",
      context: { n: 2 },
      metadata: { n: 2 },
    });
    const back = await send("POST", `/assistants/${assistant_id}/latest`, {
      version: 1,
    });
    expect(back.body).toMatchObject({
      version: 1,
      graph_id: "nested",
      name: "one",
      description: "first",
      config: { configurable: { n: 1 } },
      context: { n: 1 },
      metadata: { n: 1 },
    });
    expect((await patch(assistant_id, { name: "three" })).version).toBe(3);
    expect((await versions(assistant_id)).map((one) => one.name)).toEqual([
      "three",
      "two",
      "one",
    ]);
  });

  test("the version may be in the query as well", async () => {
    const { assistant_id } = await create();
    await patch(assistant_id, {});
    const path = `/assistants/${assistant_id}/latest`;
    const { body } = await send("POST", `${path}?version=1`);
    expect(body.version).toBe(1);
    expect(await send("POST", path, {})).toEqual(
      refused(422, "version: required"),
    );
    expect(await send("POST", path, { version: 9 })).toEqual(
      refused(404, "Assistant version not found"),
    );
  });

  test("are listed in pages and by metadata", async () => {
    const { assistant_id } = await create({ metadata: { n: 1 } });
    await patch(assistant_id, { metadata: { n: 2 } });
    await patch(assistant_id, { metadata: { n: 3 } });
    const numbers = async (search: object) =>
      (await versions(assistant_id, search)).map(({ version }) => version);
    expect(await numbers({})).toEqual([3, 2, 1]);
    expect(await numbers({ limit: 1, offset: 1 })).toEqual([2]);
    expect(await numbers({ metadata: { n: 1 } })).toEqual([1]);
  });

  test.each([
    ["PATCH", "", {}],
    ["POST", "/versions", {}],
    ["POST", "/latest", { version: 1 }],
    ["DELETE", "", undefined],
  ])("%s %s of an unknown assistant is 404", async (method, path, body) => {
    const answer = await send(method, `/assistants/unknown${path}`, body);
    expect(answer).toEqual(refused(404, "Assistant not found"));
  });
});

describe("deleting", () => {
  const newThread = async (metadata: object) => {
    const response = await postJson(server.app, "/threads", { metadata });
    return ((await response.json()) as { thread_id: string }).thread_id;
  };
  const statusOf = async (path: string) =>
    (await server.app.request(path)).status;

  test("takes the assistant and its versions, and leaves its threads", async () => {
    const { assistant_id } = await create();
    const thread = await newThread({ assistant_id });
    const { status, body } = await send<string[]>(
      "DELETE",
      `/assistants/${assistant_id}?delete_threads=false`,
    );
    expect({ status, body }).toEqual({ status: 200, body: [assistant_id] });
    expect(await statusOf(`/assistants/${assistant_id}`)).toBe(404);
    expect(await statusOf(`/threads/${thread}`)).toBe(200);
    expect((await create({ assistant_id })).version).toBe(1);
  });

  test("takes its threads when that is asked for, and no others", async () => {
    const { assistant_id } = await create();
    const own = await newThread({ assistant_id });
    const other = await newThread({ assistant_id: ID });
    await send("DELETE", `/assistants/${assistant_id}?delete_threads=True`);
    expect(await statusOf(`/threads/${own}`)).toBe(404);
    expect(await statusOf(`/threads/${other}`)).toBe(200);
  });

  test("a run of it that waits ends, and its thread is free again", async () => {
    const { assistant_id } = await create();
    const thread = await newThread({});
    const run = (await (
      await postJson(server.app, `/threads/${thread}/runs`, { assistant_id })
    ).json()) as { run_id: string };
    expect((await read(assistant_id)).assistant_id).toBe(assistant_id);
    await send("DELETE", `/assistants/${assistant_id}`);
    const { body } = await send<{ status: string }>(
      "GET",
      `/threads/${thread}`,
    );
    expect(body.status).toBe("idle");
    expect(await statusOf(`/threads/${thread}/runs/${run.run_id}`)).toBe(404);
  });
});

describe("the assistants of graphs, at every start", () => {
  const graph = (graph_id: string, description: string | null = null) => ({
    graph_id,
    description,
  });
  const restart = (
    app: TestApp,
    graphs: { graph_id: string; description: string | null }[],
    defaults = {},
  ) => registerGraphs(app, graphs, defaults);

  const all = async ({ app }: TestApp) => {
    const response = await postJson(app, "/assistants/search", {
      sort_by: "name",
      sort_order: "asc",
    });
    return (await response.json()) as Assistant[];
  };

  test("stay as they are when nothing has changed", async () => {
    await using fresh = await disposable();
    await restart(fresh, [graph("a", "A")]);
    const before = await all(fresh);
    await restart(fresh, [graph("a", "A")]);
    expect(await all(fresh)).toEqual(before);
  });

  test("follow langgraph.json and LANGGRAPH_CONFIG", async () => {
    await using fresh = await disposable();
    await restart(fresh, [graph("a")]);
    await restart(fresh, [graph("a", "now with words")], {
      a: { recursion_limit: 7, context: { tone: "dry" } },
    });
    expect(await all(fresh)).toMatchObject([
      {
        version: 1,
        description: "now with words",
        config: { recursion_limit: 7 },
        context: { tone: "dry" },
      },
    ]);
  });

  test("stay as a user has changed them", async () => {
    await using fresh = await disposable();
    await restart(fresh, [graph("a")]);
    await fresh.app.request("/assistants/a", {
      method: "PATCH",
      body: JSON.stringify({ name: "mine" }),
    });
    await restart(fresh, [graph("a", "theirs")]);
    expect(await all(fresh)).toMatchObject([
      { version: 2, name: "mine", description: null },
    ]);
  });

  test("go with their graph, while those that users made stay", async () => {
    await using fresh = await disposable([GRAPHS[0]!]);
    await postJson(fresh.app, "/assistants", {
      graph_id: "nested",
      name: "made by a user",
      metadata: { created_by: "system" },
    });
    await restart(fresh, [graph("other")]);
    const names = (await all(fresh)).map(({ name }) => name);
    expect(names).toEqual(["made by a user", "other"]);
  });

  async function disposable(graphs: typeof GRAPHS = []) {
    const app = await openTestApp({ graphs });
    return { ...app, [Symbol.asyncDispose]: app.close };
  }
});
