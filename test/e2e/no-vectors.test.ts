/** Who has an index configured hears at the start that vectors cannot be compared, and what to do. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test, vi } from "vitest";
import { isOnPostgres } from "../support/postgres.ts";
import { startServer } from "../support/server.ts";
import { temporaryProject } from "../support/temporary-project.ts";
import { hasPgvector } from "../support/vectors.ts";
import { waitFor } from "../support/wait.ts";

vi.setConfig({ testTimeout: 60_000 });

const SEARCH = fileURLToPath(
  new URL("../fixtures/search-graphs/langgraph.json", import.meta.url),
);

const NOTES = readFileSync(join(SEARCH, "../notes.ts"), "utf8");

test.runIf(isOnPostgres() && !(await hasPgvector()))(
  "a Postgres without pgvector",
  async () => {
    await expect(startServer({ config: SEARCH })).rejects.toThrow(
      /needs the extension pgvector.*postgresql-NN-pgvector.*create extension vector/,
    );
  },
);

/** As where npm has no build of it: nothing finds the package. */
const HIDE = `
  const Module = require("node:module");
  const resolve = Module._resolveFilename;
  Module._resolveFilename = function (name, ...rest) {
    if (name.startsWith("sqlite-vec")) throw new Error("not found: " + name);
    return resolve.call(this, name, ...rest);
  };`;

test.skipIf(isOnPostgres())("a SQLite without sqlite-vec", async () => {
  using hidden = temporaryProject({ "hide.cjs": HIDE });
  const env = { NODE_OPTIONS: `--require ${join(hidden.root, "hide.cjs")}` };
  await expect(startServer({ config: SEARCH, env })).rejects.toThrow(
    /needs the SQLite extension sqlite-vec, which is not installed for .*; run "npm install sqlite-vec"/,
  );
  // Nobody else misses it.
  const server = await startServer({ env });
  expect((await server.fetch("/ok")).status).toBe(200);
});

test.skipIf(isOnPostgres())(
  "a model whose package is not installed is named at the start, and by puts",
  async () => {
    using project = temporaryProject({ "notes.ts": NOTES });
    const config = join(project.root, "langgraph.json");
    const write = (embed: string) =>
      writeFileSync(
        config,
        JSON.stringify({
          graphs: { notes: "./notes.ts:graph" },
          store: { index: { embed, dims: 3 } },
        }),
      );
    write("mistralai:mistral-embed");
    const server = await startServer({ config });
    const missing =
      'the provider "mistralai" needs @langchain/mistralai, which is not installed in the project; run: npm install @langchain/mistralai';
    await waitFor("it is in the log", () =>
      server.output().includes(`store.index.embed: ${missing}`),
    );
    const body = { namespace: ["n"], key: "k", value: {} };
    const response = await server.send("PUT", "/store/items", body);
    expect([response.status, await response.json()]).toEqual([
      503,
      { detail: `store.index.embed: ${missing}` },
    ]);
    write("open_ai:text-embedding-3-small");
    await server.restart();
    await waitFor("it is in the log", () =>
      server.output().includes('did you mean "openai"?'),
    );
  },
);
