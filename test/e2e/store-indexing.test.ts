/** Items that are older than the index of the store, or than the one that it is now. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { startServer, type TestServer } from "../support/server.ts";
import { temporaryProject } from "../support/temporary-project.ts";
import { canCompareVectors } from "../support/vectors.ts";
import { waitFor } from "../support/wait.ts";

vi.setConfig({ testTimeout: 120_000 });

const fixture = (name: string): string =>
  readFileSync(
    new URL(`../fixtures/search-graphs/${name}`, import.meta.url),
    "utf8",
  );

const INDEX = { embed: "./embed.ts:embed", dims: 1024, fields: ["text"] };

function project(index?: object) {
  return temporaryProject({
    "langgraph.json": JSON.stringify({
      graphs: { notes: "./notes.ts:graph" },
      store: index === undefined ? {} : { index },
    }),
    "notes.ts": fixture("notes.ts"),
    "embed.ts": fixture("embed.ts"),
  });
}

/** Those that share more than half with the query: a bag of words takes some words for others. */
const keysFor = async ({ client }: TestServer, query: string) =>
  (await client.store.searchItems(["n"], { query, limit: 1000 })).items
    .filter(({ score }) => Number(score) > 0.5)
    .map(({ key }) => key);

const canCompare = await canCompareVectors("items from before the index");

describe.runIf(canCompare)("items from before the index", () => {
  test("are indexed in the background, and again when it changes", async () => {
    using plain = project();
    using indexed = project(INDEX);
    using other = project({ ...INDEX, fields: ["title"] });
    const config = ({ root }: { root: string }) => join(root, "langgraph.json");
    const server = await startServer({ config: config(plain) });
    const { store } = server.client;
    const put = (key: string, n: number, options = {}) =>
      store.putItem(
        ["n"],
        key,
        { text: `green tea ${n}`, title: `coffee ${n}` },
        options,
      );
    for (let n = 0; n < 200; n += 1) await put(`k${n}`, n);
    await put("skipped", 0, { index: false });
    await put("titled", 0, { index: ["title"] });
    await store.putItem(["n"], "broken", { text: "unembeddable green tea" });

    await server.restart({ config: config(indexed) });
    const found = await waitFor("all are found", async () => {
      const keys = await keysFor(server, "tea");
      return keys.length === 200 && keys;
    });
    expect(found).not.toContain("skipped");
    expect(await keysFor(server, "coffee")).toEqual(["titled"]);
    await waitFor("the end is logged", () =>
      server.output().includes("the items of the store are indexed"),
    );
    expect(server.output()).toMatch(
      /items of the store are being indexed.*items=203[^]*items of the store cannot be indexed.*items=1/,
    );

    await server.restart({ config: config(other) });
    await waitFor(
      "all are found by what is embedded now",
      async () => (await keysFor(server, "coffee")).length === 201,
    );
    expect(await keysFor(server, "tea")).toEqual([]);
  });
});
