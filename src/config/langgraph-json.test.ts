import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { NO_STORE_TTL } from "../model/store-item.ts";
import { ConfigError } from "./config-error.ts";
import { readProject } from "./langgraph-json.ts";

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "spool-config-"));
  mkdirSync(join(root, "src"));
  writeFileSync(join(root, "src/agent.ts"), "export const graph = {};");
});

afterEach(() => rmSync(root, { recursive: true }));

function write(document: unknown): string {
  const path = join(root, "langgraph.json");
  writeFileSync(
    path,
    typeof document === "string" ? document : JSON.stringify(document),
  );
  return path;
}

function problemWith(document: unknown): string {
  try {
    readProject(write(document));
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  throw new Error("the file was accepted");
}

const GRAPHS = { agent: "./src/agent.ts:graph" };

describe("graphs", () => {
  test("a path becomes an absolute file and the exported name", () => {
    const { graphs } = readProject(write({ graphs: GRAPHS }));
    expect(graphs).toEqual([
      {
        graph_id: "agent",
        file: join(root, "src/agent.ts"),
        export_name: "graph",
        description: null,
      },
    ]);
  });

  test("an entry may be an object with a description", () => {
    const entry = { path: "src/agent.ts:graph", description: "Answers." };
    const { graphs } = readProject(write({ graphs: { agent: entry } }));
    expect(graphs[0]).toMatchObject({
      export_name: "graph",
      description: "Answers.",
    });
  });

  test("nothing after the colon means the default export", () => {
    const { graphs } = readProject(
      write({ graphs: { agent: "./src/agent.ts:" } }),
    );
    expect(graphs[0]?.export_name).toBe("default");
  });

  test.each([
    [{}, /no graphs; add at least one/],
    [{ graphs: {} }, /no graphs; add at least one/],
    [{ graphs: [] }, /graphs must be an object/],
    [{ graphs: { agent: "./src/agent.ts" } }, /graphs\.agent .* colon/],
    [{ graphs: { agent: 1 } }, /graphs\.agent must be "path:export"/],
    [{ graphs: { agent: "./src/gone.ts:graph" } }, /no file .*gone\.ts/],
    [{ graphs: { agent: "./agent.py:graph" } }, /Python/],
    [{ graphs: { agent: "./src:graph" } }, /not a module/],
  ])("%j is refused with its remedy", (document, message) => {
    expect(problemWith(document)).toMatch(message);
  });
});

describe("the file", () => {
  test("may be named by its folder", () => {
    const path = write({ graphs: GRAPHS });
    expect(readProject(root).configPath).toBe(path);
  });

  test("that does not exist is named, with the remedy", () => {
    expect(() => readProject(join(root, "none.json"))).toThrow(
      /there is no .*none\.json; .*--config/,
    );
  });

  test.each([
    ['{\n  "graphs": {\n    "a": x\n  }\n}', ":3:10:"],
    ['{\n  "graphs": {},\n}', ":3:1:"],
    ["", ":1:1:"],
    ['{"graphs": {}', ":1:14:"],
    ["{'graphs': {}}", ":1:2:"],
    ['{"graphs": {}} x', ":1:16:"],
  ])("%j is refused with line and column", (text, place) => {
    expect(problemWith(text)).toContain(
      `langgraph.json${place} not valid JSON`,
    );
  });

  test("may start with a byte order mark", () => {
    const path = write(`\uFEFF${JSON.stringify({ graphs: GRAPHS })}`);
    expect(readProject(path).graphs).toHaveLength(1);
  });

  test("that is no object is refused", () => {
    expect(problemWith("[]")).toMatch(/must be an object/);
  });
});

describe("other keys", () => {
  test("those about Python and images pass without a word", () => {
    const project = readProject(
      write({
        $schema: "https://langgra.ph/schema.json",
        graphs: GRAPHS,
        dependencies: ["."],
        python_version: "3.12",
        dockerfile_lines: [],
        node_version: "20",
      }),
    );
    expect(project.warnings).toEqual([]);
    expect(project.nodeVersion).toBe(20);
  });

  test("an unknown one is a warning with the nearest match", () => {
    const { warnings } = readProject(
      write({ graphs: GRAPHS, dependancies: ["."], zebra: 1 }),
    );
    expect(warnings).toEqual([
      'langgraph.json: unknown key "dependancies"; did you mean "dependencies"?',
      'langgraph.json: unknown key "zebra"',
    ]);
  });

  test("what this version does not serve is a warning", () => {
    const { warnings } = readProject(
      write({
        graphs: GRAPHS,
        ui: {},
        http: { cors: {}, app: "./app.ts:app" },
      }),
    );
    expect(warnings.map((warning) => warning.split(" ")[1])).toEqual([
      "ui",
      "http.app",
    ]);
  });

  test.each([
    [{ node_version: "18" }, /node_version is "18"/],
    [{ package: "x" }, /package is no longer part of the format/],
    [{ http: [] }, /http must be an object/],
    [{ http: { cors: { allow_origins: "*" } } }, /http\.cors\.allow_origins/],
    [{ http: { cors: { allow_origin_regex: "(" } } }, /regular expression/],
    [{ http: { cors: { allow_credentials: true } } }, /origins by name/],
    [{ checkpointer: { ttl: { strategy: "x" } } }, /delete, keep_latest/],
    [{ checkpointer: { ttl: { default_ttl: -1 } } }, /default_ttl/],
    [{ checkpointer: { ttl: { sweep_interval_minutes: 0 } } }, /sweep_inter/],
    [{ checkpointer: { ttl: { sweep_limit: "all" } } }, /sweep_limit/],
    [{ store: { ttl: { default_ttl: 0 } } }, /store\.ttl\.default_ttl/],
    [{ store: { ttl: { refresh_on_read: "no" } } }, /true or false/],
    [{ store: { ttl: 5 } }, /store\.ttl must be an object/],
    [{ env: 1 }, /env must be/],
    [{ env: { A: {} } }, /env\.A must be text/],
  ])("%j is refused", (keys, message) => {
    expect(problemWith({ graphs: GRAPHS, ...keys })).toMatch(message);
  });

  test("a default expiry is read", () => {
    const ttl = { strategy: "keep_latest", default_ttl: 60 };
    const project = readProject(
      write({ graphs: GRAPHS, checkpointer: { ttl } }),
    );
    expect(project.ttl).toEqual({ strategy: "keep_latest", ttl_minutes: 60 });
    expect(project.threadSweep).toEqual({ every_minutes: 5, limit: 1000 });
  });

  test.each([
    [undefined, NO_STORE_TTL],
    [{ ttl: {} }, NO_STORE_TTL],
    [
      {
        ttl: {
          default_ttl: 0.5,
          refresh_on_read: false,
          sweep_interval_minutes: 2,
        },
      },
      { default_minutes: 0.5, refresh_on_read: false, sweep_minutes: 2 },
    ],
  ])("the expiry of store items in %j is read", (store, expected) => {
    const project = readProject(write({ graphs: GRAPHS, store }));
    expect(project.storeTtl).toEqual(expected);
    expect(project.warnings).toEqual([]);
  });
});

describe("the index of the store", () => {
  const withIndex = (index: unknown) => ({ graphs: GRAPHS, store: { index } });

  test.each([
    [
      { embed: "openai:text-embedding-3-small", dims: 1536 },
      { kind: "model", provider: "openai", model: "text-embedding-3-small" },
      ["$"],
    ],
    [
      { embed: "ollama:nomic-embed-text:v1.5", dims: 768, fields: ["text"] },
      { kind: "model", provider: "ollama", model: "nomic-embed-text:v1.5" },
      ["text"],
    ],
  ])("%j is a model", (index, source, fields) => {
    const { storeIndex, warnings } = readProject(write(withIndex(index)));
    const { embed, dims } = index;
    const embedding = { source, dims };
    expect(storeIndex).toEqual({ embed, dims, fields, embedding });
    expect(warnings).toEqual([]);
  });

  test.each(["./src/agent.ts:embed", "src/agent.ts:embed"])(
    "%s is a function of the project",
    (embed) => {
      const { storeIndex } = readProject(write(withIndex({ embed, dims: 8 })));
      expect(storeIndex?.embedding.source).toEqual({
        kind: "function",
        file: join(root, "src/agent.ts"),
        export_name: "embed",
      });
    },
  );

  test.each([
    [{ dims: 8 }, "store.index.embed is missing"],
    [{ embed: "openai", dims: 8 }, '"provider:model"'],
    [{ embed: "./src/none.ts:embed", dims: 8 }, "there is no file"],
    [{ embed: "openai:x" }, "store.index.dims must be"],
    [{ embed: "openai:x", dims: 0 }, "store.index.dims must be"],
    [{ embed: "openai:x", dims: 1.5 }, "store.index.dims must be"],
    [{ embed: "openai:x", dims: 8, fields: "text" }, "list of texts"],
    ["openai:x", "store.index must be an object"],
  ])("%j is refused", (index, problem) => {
    expect(problemWith(withIndex(index))).toContain(problem);
  });
});

test("env is a file, a map or a list of names", () => {
  const envOf = (env: unknown) =>
    readProject(write({ graphs: GRAPHS, env })).env;
  expect(envOf(undefined)).toEqual({ kind: "none" });
  expect(envOf(".env")).toEqual({ kind: "file", path: join(root, ".env") });
  expect(envOf({ A: "1", B: 2 })).toEqual({
    kind: "map",
    variables: { A: "1", B: "2" },
  });
  expect(envOf(["A"])).toEqual({ kind: "required", names: ["A"] });
});
