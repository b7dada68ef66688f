/** Items of the store by what they mean, with a bag of words as the model: texts are alike as far as they share words. */
import { fileURLToPath } from "node:url";
import { describe, expect, test, vi } from "vitest";
import { refusal } from "../support/sdk.ts";
import { startServer, useServer } from "../support/server.ts";
import { canCompareVectors } from "../support/vectors.ts";

vi.setConfig({ testTimeout: 60_000 });

const CONFIG = fileURLToPath(
  new URL("../fixtures/search-graphs/langgraph.json", import.meta.url),
);
const canCompare = await canCompareVectors("semantic search");

describe.runIf(canCompare)("semantic search", () => {
  const server = useServer({ config: CONFIG });
  let tests = 0;

  /** A namespace that no other test uses. */
  const ownNamespace = (): string => `e2e-${(tests += 1)}`;

  const found = ({ items }: { items: { key: string; score?: unknown }[] }) =>
    items.map(({ key, score }) => [key, Number(Number(score).toFixed(2))]);

  async function putTexts(
    namespace: string[],
    texts: Record<string, string>,
  ): Promise<void> {
    for (const [key, text] of Object.entries(texts))
      await server.client.store.putItem(namespace, key, { text });
  }

  test("a query finds the most alike first, with their scores, at once after the put", async () => {
    const { store } = server.client;
    const own = ownNamespace();
    await putTexts([own], {
      tea: "ada drinks green tea",
      cat: "the cat of grace sleeps",
      both: "the cat drinks tea",
    });
    expect(
      found(await store.searchItems([own], { query: "green tea" })),
    ).toEqual([
      ["tea", 0.71],
      ["both", 0.35],
      ["cat", 0],
    ]);
    const page = { query: "green tea", limit: 1, offset: 1 };
    expect(found(await store.searchItems([own], page))).toEqual([
      ["both", 0.35],
    ]);
    await store.putItem([own], "tea", { text: "ada drinks coffee" });
    await store.deleteItem([own], "cat");
    expect(
      found(await store.searchItems([own], { query: "green tea" })),
    ).toEqual([
      ["both", 0.35],
      ["tea", 0],
    ]);
    const [listed] = (await store.searchItems([own])).items;
    expect(listed).not.toHaveProperty("score");
  });

  test("namespace and filter hold, however far down the list their items are", async () => {
    const { store } = server.client;
    const own = ownNamespace();
    await putTexts([own, "a"], { near: "tea tea tea" });
    await putTexts([`${own}-b`], { other: "tea" });
    const keys = Array.from({ length: 120 }, (_, n) => `k${n}`);
    await Promise.all(
      keys.map((key) =>
        store.putItem([own, "b"], key, { text: "tea", n: key }),
      ),
    );
    await store.putItem([own, "b"], "far", { text: "coffee and tea", n: 7 });
    await store.putItem([own, "b"], "farther", { text: "coffee", n: 8 });
    const search = (filter: Record<string, unknown>) =>
      store.searchItems([own], { query: "tea", filter, limit: 5 });
    expect(found(await search({ n: 7 }))).toEqual([["far", 0.58]]);
    expect(found(await search({ n: { $gte: 7 } }))).toEqual([
      ["far", 0.58],
      ["farther", 0],
    ]);
    expect(
      found(await store.searchItems([own, "a"], { query: "tea" })),
    ).toEqual([["near", 1]]);
  });

  test("the best text of an item counts, and an item says itself what is embedded of it", async () => {
    const { store } = server.client;
    const own = ownNamespace();
    const put = (
      key: string,
      value: Record<string, unknown>,
      index?: false | string[],
    ) => store.putItem([own], key, value, index === undefined ? {} : { index });
    await put("tags", {
      text: "of this and that",
      tags: ["green tea", "mugs"],
    });
    await put("none", { text: "green tea" }, false);
    await put("title", { text: "green tea", title: "coffee" }, ["title"]);
    await put("empty", { other: "green tea" });
    expect(
      found(await store.searchItems([own], { query: "green tea" })),
    ).toEqual([
      ["tags", 1],
      ["title", 0],
    ]);
    expect((await store.searchItems([own])).items).toHaveLength(4);
  });

  test("a query that means nothing finds the newest, without scores", async () => {
    const own = ownNamespace();
    await putTexts([own], { tea: "tea" });
    const { items } = await server.client.store.searchItems([own], {
      query: "?!",
    });
    expect(items).toMatchObject([{ key: "tea", score: null }]);
  });

  test("an item that cannot be embedded is refused, and what was there stays", async () => {
    const { store } = server.client;
    const own = ownNamespace();
    await putTexts([own], { k: "tea" });
    expect(
      await refusal(store.putItem([own], "k", { text: "unembeddable" })),
    ).toEqual({
      status: 503,
      detail: 'store.index.embed: no vector for "unembeddable"',
    });
    expect((await store.getItem([own], "k"))?.value).toEqual({ text: "tea" });
  });

  test("a graph finds what it has just put, and what clients have", async () => {
    const { runs, store } = server.client;
    await store.putItem(["notes"], "by client", { text: "grace has a cat" });
    const values = await runs.wait(null, "notes", {
      input: { note: "ada likes green tea", query: "who likes tea" },
    });
    expect(values).toMatchObject({
      found: [
        { text: "ada likes green tea", score: expect.closeTo(0.577, 2) },
        { text: "grace has a cat", score: 0 },
      ],
    });
  });

  test("what was acknowledged is found after kill -9", async () => {
    const fragile = await startServer({ config: CONFIG });
    const { store } = fragile.client;
    await store.putItem(["kept"], "k", { text: "green tea" });
    await fragile.kill9();
    await fragile.start();
    expect(
      found(await fragile.client.store.searchItems(["kept"], { query: "tea" })),
    ).toEqual([["k", 0.71]]);
  });
});
