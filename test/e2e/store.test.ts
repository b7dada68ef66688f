import { join } from "node:path";
import type { Client } from "@langchain/langgraph-sdk";
import { expect, test, vi } from "vitest";
import { refusal, TIMESTAMP } from "../support/sdk.ts";
import { startServer, useServer } from "../support/server.ts";
import { temporaryProject } from "../support/temporary-project.ts";
import { waitFor } from "../support/wait.ts";

vi.setConfig({ testTimeout: 60_000 });

const server = useServer();
let tests = 0;

/** A namespace that no other test uses. */
const ownNamespace = (): string => `e2e-${(tests += 1)}`;

const keysOf = ({ items }: { items: { key: string }[] }) =>
  items.map(({ key }) => key);

/** What the graph `memory` knows of the user, after it was told the fact. */
async function tellGraph(
  { runs }: Client,
  user_id: string,
  fact?: string,
): Promise<unknown> {
  const values = await runs.wait(null, "memory", {
    input: { fact },
    config: { configurable: { user_id } },
  });
  return (values as { answer?: unknown }).answer;
}

test("an item is put, read, replaced and deleted", async () => {
  const { store } = server.client;
  const namespace = [ownNamespace(), "profile"];
  expect(await store.getItem(namespace, "k")).toBeNull();
  await store.putItem(namespace, "k", { name: "Ada", list: [1, null] });
  const item = await store.getItem(namespace, "k");
  expect(item).toMatchObject({
    namespace,
    key: "k",
    value: { name: "Ada", list: [1, null] },
    createdAt: expect.stringMatching(TIMESTAMP),
    updatedAt: expect.stringMatching(TIMESTAMP),
  });
  await store.putItem(namespace, "k", { name: "Grace" }, { index: false });
  const replaced = await store.getItem(namespace, "k", { refreshTtl: true });
  expect(replaced?.value).toEqual({ name: "Grace" });
  expect(replaced?.createdAt).toBe(item?.createdAt);
  await store.deleteItem(namespace, "k");
  await store.deleteItem(namespace, "k");
  expect(await store.getItem(namespace, "k")).toBeNull();
});

test("items are searched and namespaces listed", async () => {
  const { store } = server.client;
  const own = ownNamespace();
  for (const [n, label] of ["x", "y", "x_"].entries())
    await store.putItem([own, label], `k${n}`, { n, label });
  expect(keysOf(await store.searchItems([own, "x"]))).toEqual(["k0"]);
  expect(keysOf(await store.searchItems([own])).sort()).toEqual([
    "k0",
    "k1",
    "k2",
  ]);
  const filtered = await store.searchItems([own], {
    filter: { n: { $gte: 1 }, label: "y" },
    query: "ignored",
  });
  expect(filtered.items).toMatchObject([
    { namespace: [own, "y"], createdAt: expect.stringMatching(TIMESTAMP) },
  ]);
  expect(await store.listNamespaces({ prefix: [own] })).toEqual({
    namespaces: [
      [own, "x"],
      [own, "x_"],
      [own, "y"],
    ],
  });
  expect(
    await store.listNamespaces({ prefix: [own], suffix: ["y"], maxDepth: 1 }),
  ).toEqual({ namespaces: [[own]] });
});

test("refusals reach the caller with their sentence", async () => {
  const { store } = server.client;
  expect(await refusal(store.putItem([], "k", {}))).toEqual({
    status: 400,
    detail: "Namespace is required",
  });
  expect(await refusal(store.getItem([], "k"))).toMatchObject({ status: 400 });
  expect(await refusal(store.putItem(["a", ""], "k", {}))).toEqual({
    status: 422,
    detail: "Namespace labels cannot be empty or contain periods. Received: a.",
  });
});

test("what a node writes is there for clients, and the reverse", async () => {
  const { client } = server;
  const user = ownNamespace();
  await tellGraph(client, user, "likes tea");
  expect(
    await client.store.getItem(["facts", user], "likes tea"),
  ).toMatchObject({ value: { fact: "likes tea" } });
  await client.store.putItem(["facts", user], "by client", {
    fact: "has a cat",
  });
  expect(await tellGraph(client, user)).toBe("has a cat; likes tea");
  await client.store.deleteItem(["facts", user], "likes tea");
  expect(await tellGraph(client, user)).toBe("has a cat");
});

test("what was acknowledged is there after kill -9", async () => {
  const fragile = await startServer();
  const { client } = fragile;
  await tellGraph(client, "ada", "likes tea");
  const keys = Array.from({ length: 50 }, (_, n) => `k${n}`);
  await Promise.all(
    keys.map((key) => client.store.putItem(["kept"], key, { key })),
  );
  await client.store.deleteItem(["kept"], "k0");
  const before = await client.store.getItem(["kept"], "k1");
  await fragile.kill9();
  await fragile.start();
  const found = await client.store.searchItems(["kept"], { limit: 1000 });
  expect(keysOf(found).sort()).toEqual(keys.slice(1).sort());
  expect(await client.store.getItem(["kept"], "k1")).toEqual(before);
  expect(await tellGraph(client, "ada")).toBe("likes tea");
});

const MEMORY = `
import { Annotation, END, START, StateGraph } from "@langchain/langgraph";
const State = Annotation.Root({ key: Annotation, stored: Annotation });
export const graph = new StateGraph(State)
  .addNode("put", async ({ key }, config) => {
    await config.store.put(["t"], key, {});
    return { stored: await config.store.get(["t"], key) };
  })
  .addEdge(START, "put")
  .addEdge("put", END)
  .compile();
`;

test("the default time to live of langgraph.json is that of items from clients and from graphs", async () => {
  using project = temporaryProject({
    "graph.mjs": MEMORY,
    "langgraph.json": JSON.stringify({
      graphs: { put: "./graph.mjs:graph" },
      store: { ttl: { default_ttl: 0.05, refresh_on_read: false } },
    }),
  });
  const brief = await startServer({
    config: join(project.root, "langgraph.json"),
    workers: 1,
  });
  const { runs, store } = brief.client;
  await store.putItem(["t"], "kept", {}, { ttl: null });
  await store.putItem(["t"], "by client", {});
  const key = "by graph";
  expect(await runs.wait(null, "put", { input: { key } })).toMatchObject({
    stored: { key },
  });
  await waitFor("all but the item that lives for ever are gone", async () => {
    const found = keysOf(await store.searchItems(["t"]));
    return found.length === 1 && found[0] === "kept";
  });
  expect(await store.getItem(["t"], key)).toBeNull();
});
