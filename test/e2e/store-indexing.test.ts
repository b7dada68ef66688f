/** Items that are older than the index of the store, or than the one that it is now. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { defaultSqliteDriver } from "../../src/storage/sqlite-driver.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { temporaryProject } from "../support/temporary-project.ts";
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

/** The data of one server, served with another configuration. */
async function movedOn(before: TestServer, config: string, env = {}) {
  await before.stop();
  return startServer({ config, env, dataFrom: before.dataDir });
}

/** Those that share more than half with the query: a bag of words takes some words for others. */
const keysFor = async ({ client }: TestServer, query: string) =>
  (await client.store.searchItems(["n"], { query, limit: 1000 })).items
    .filter(({ score }) => Number(score) > 0.5)
    .map(({ key }) => key);

test("items from before the index are indexed in the background, and again when it changes", async () => {
  using plain = project();
  using indexed = project(INDEX);
  using other = project({ ...INDEX, fields: ["title"] });
  const config = ({ root }: { root: string }) => join(root, "langgraph.json");
  const old = await startServer({ config: config(plain) });
  const { store } = old.client;
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

  const server = await movedOn(old, config(indexed));
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

  const changed = await movedOn(server, config(other));
  await waitFor(
    "all are found by what is embedded now",
    async () => (await keysFor(changed, "coffee")).length === 201,
  );
  expect(await keysFor(changed, "tea")).toEqual([]);
});

test("expired items give their room back", async () => {
  using root = temporaryProject({
    "langgraph.json": JSON.stringify({
      graphs: { notes: "./notes.ts:graph" },
      store: { index: INDEX, ttl: { sweep_interval_minutes: 0.005 } },
    }),
    "notes.ts": fixture("notes.ts"),
    "embed.ts": fixture("embed.ts"),
  });
  const server = await startServer({
    config: join(root.root, "langgraph.json"),
  });
  const { store } = server.client;
  await store.putItem(["n"], "mortal", { text: "tea" }, { ttl: 0.001 });
  await store.putItem(["n"], "kept", { text: "tea" }, { ttl: 60 });
  const file = defaultSqliteDriver().open(join(server.dataDir, "spool.db"), {
    readOnly: true,
  });
  const rows = (table: string) =>
    file.prepare(`select key from ${table}`).all();
  await waitFor("the item is deleted", () => rows("store_items").length === 1);
  expect(rows("store_vectors")).toEqual([{ key: "kept" }]);
  file.close();
});
