/** What a graph is called with: the assistant's settings, the request's over them, and what the server adds. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Client } from "@langchain/langgraph-sdk";
import { describe, expect, test } from "vitest";
import { UUID } from "../support/sdk.ts";
import { useServer } from "../support/server.ts";

const server = useServer({
  config: join(
    fileURLToPath(new URL("../fixtures/config-graphs", import.meta.url)),
    "langgraph.json",
  ),
});

interface Seen {
  configurable: Record<string, unknown>;
  metadata: Record<string, unknown>;
  context?: unknown;
  tags: string[];
}

type Payload = Parameters<Client["runs"]["wait"]>[2];

async function seenBy(
  assistant: string,
  payload: Payload = {},
  headers: Record<string, string> = {},
) {
  const client = new Client({
    apiUrl: server.url,
    defaultHeaders: headers,
    callerOptions: { maxRetries: 0 },
  });
  const { thread_id } = await client.threads.create();
  const { seen } = (await client.runs.wait(thread_id, assistant, {
    input: {},
    ...payload,
  })) as unknown as { seen: Seen };
  const [run] = await client.runs.list(thread_id);
  return { ...seen, thread_id, run: run! };
}

const assistantWith = async (settings: {
  config?: Record<string, unknown>;
  context?: unknown;
}) => {
  const { assistant_id } = await server.client.assistants.create({
    graphId: "mirror",
    ...settings,
  });
  return assistant_id;
};

test("configurable has the ids of the run, and what the client gave", async () => {
  const assistant_id = await assistantWith({});
  const { configurable, thread_id, run } = await seenBy(assistant_id, {
    config: { configurable: { user_id: "ada", theme: { dark: true } } },
  });
  expect(configurable).toMatchObject({
    run_id: run.run_id,
    thread_id,
    assistant_id,
    graph_id: "mirror",
    user_id: "ada",
    theme: { dark: true },
  });
  expect(assistant_id).toMatch(UUID);
});

test("a client cannot say who it is authenticated as, nor which run it is", async () => {
  const { configurable, run } = await seenBy("mirror", {
    config: {
      configurable: {
        run_id: "mine",
        graph_id: "other",
        langgraph_auth_user: { identity: "root" },
        langgraph_auth_user_id: "root",
        langgraph_auth_permissions: ["all"],
      },
    },
  });
  expect(configurable).toMatchObject({
    run_id: run.run_id,
    graph_id: "mirror",
  });
  for (const key of Object.keys(configurable))
    expect(key).not.toMatch(/^langgraph_auth_/);
});

test("the assistant's config lies under the request's, key by key", async () => {
  const assistant = await assistantWith({
    config: {
      tags: ["assistant"],
      configurable: { model: "small", tone: "kind" },
    },
  });
  const alone = await seenBy(assistant);
  expect(alone.configurable).toMatchObject({ model: "small", tone: "kind" });
  expect(alone.tags).toContain("assistant");
  const both = await seenBy(assistant, {
    config: { tags: ["request"], configurable: { model: "large" } },
  });
  expect(both.configurable).toMatchObject({ model: "large", tone: "kind" });
  expect(both.tags).toContain("request");
});

test("the assistant's context lies under the request's, key by key", async () => {
  const assistant = await assistantWith({
    context: { model: "small", tone: "kind" },
  });
  expect((await seenBy(assistant)).context).toEqual({
    model: "small",
    tone: "kind",
  });
  expect(
    (await seenBy(assistant, { context: { model: "large" } })).context,
  ).toEqual({ model: "large", tone: "kind" });
});

test("metadata of the run reaches the graph and its checkpoints, with what the server knows", async () => {
  const { metadata, thread_id, run } = await seenBy("mirror", {
    metadata: { team: "blue" },
    config: { configurable: { user_id: "ada" } },
  });
  const known = {
    team: "blue",
    run_id: run.run_id,
    thread_id,
    graph_id: "mirror",
    assistant_id: run.assistant_id,
    run_attempt: 1,
    langgraph_version: expect.stringMatching(/^\d+\.\d+\.\d+/),
    langgraph_plan: expect.any(String),
    langgraph_host: "self-hosted",
    langgraph_api_url: server.url,
  };
  expect(metadata).toMatchObject(known);
  for (const state of await server.client.threads.getHistory(thread_id))
    expect(state.metadata).toMatchObject({ ...known, user_id: "ada" });
  const found = await server.client.threads.getHistory(thread_id, {
    metadata: { team: "blue" },
  });
  expect(found.length).toBeGreaterThan(0);
});

describe("recursion_limit", () => {
  const steps = async (graph: string, depth: number, limit?: number) => {
    const { thread_id } = await server.client.threads.create();
    const values = (await server.client.runs.wait(thread_id, graph, {
      input: { depth },
      config: limit === undefined ? {} : { recursion_limit: limit },
      raiseError: false,
    })) as { __error__?: { error: string } };
    return values.__error__?.error ?? "done";
  };

  test("that is not given leaves the graph's own alone", async () => {
    expect(await steps("patient", 50)).toBe("done");
    expect(await steps("patient", 70)).toBe("GraphRecursionError");
    expect(await steps("mirror", 50)).toBe("GraphRecursionError");
  });

  test("that is given wins", async () => {
    expect(await steps("mirror", 50, 60)).toBe("done");
    expect(await steps("patient", 50, 10)).toBe("GraphRecursionError");
  });
});

describe("headers", () => {
  const headers = {
    "X-User-Id": "ada",
    "x-user-secret": "s",
    "X-TENANT": "acme",
    "x-other": "no",
    run_id: "mine",
    authorization: "Bearer s",
    "x-api-key": "s",
  };

  test("that langgraph.json includes are in configurable, and no others", async () => {
    const { configurable, run } = await seenBy("mirror", {}, headers);
    expect(configurable).toMatchObject({
      "x-user-id": "ada",
      "x-tenant": "acme",
      run_id: run.run_id,
    });
    for (const name of [
      "x-user-secret",
      "x-other",
      "authorization",
      "x-api-key",
    ])
      expect(configurable).not.toHaveProperty(name);
    expect(JSON.stringify(run)).not.toContain("Bearer");
  });

  test("win over what the body says of them", async () => {
    const payload = { config: { configurable: { "x-user-id": "bob" } } };
    const { configurable } = await seenBy("mirror", payload, headers);
    expect(configurable).toMatchObject({ "x-user-id": "ada" });
    const without = await seenBy("mirror", payload);
    expect(without.configurable).toMatchObject({ "x-user-id": "bob" });
  });

  test("reach runs without a thread, and streamed ones", async () => {
    const client = new Client({ apiUrl: server.url, defaultHeaders: headers });
    const values = (await client.runs.wait(null, "mirror", {
      input: {},
    })) as unknown as { seen: Seen };
    expect(values.seen.configurable).toMatchObject({ "x-user-id": "ada" });
    let last: unknown;
    for await (const { event, data } of client.runs.stream(null, "mirror", {
      input: {},
    }))
      if (event === "values") last = data;
    expect(last).toMatchObject({
      seen: { configurable: { "x-user-id": "ada" } },
    });
  });
});
