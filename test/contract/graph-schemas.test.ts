import {
  mkdtemp,
  readdir,
  readFile,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { JsonObject } from "../../src/lib/json.ts";
import type { GraphSpec } from "../../src/protocol/graph-frames.ts";
import { graphRequests } from "../../src/worker/graph-requests.ts";
import {
  emptyProject,
  loadProject,
  type Project,
} from "../../src/worker/load-graphs.ts";
import { SchemaCompiler } from "../../src/worker/schemas/schema-compiler.ts";
import { StaticSchemas } from "../../src/worker/schemas/static-schemas.ts";

const here = dirname(fileURLToPath(import.meta.url));
const fixtures = join(here, "..", "fixtures", "schema-graphs");

const spec = (
  root: string,
  graph_id: string,
  path: string,
  export_name = "graph",
): GraphSpec => ({
  graph_id,
  file: join(root, path),
  export_name,
  description: null,
});

async function load(root: string, graphs: GraphSpec[]): Promise<Project> {
  const project = emptyProject();
  await loadProject(
    project,
    { root, graphs },
    {
      loaded: () => {},
      failed: (graphId, failure) => {
        throw new Error(`${graphId}: ${failure.message}`);
      },
    },
  );
  return project;
}

const schema = (properties: JsonObject, required: string[], more = {}) => ({
  $schema: "http://json-schema.org/draft-07/schema#",
  type: "object",
  properties,
  required,
  ...more,
});

const MESSAGES = {
  type: "array",
  items: { $ref: "#/definitions/BaseMessage" },
  langgraph_type: "messages",
};

/** One for all: what it has read of the packages is most of the work. */
const compiler = new SchemaCompiler({ timeoutMs: 60_000 });

describe("the graphs of a project", () => {
  let requests: ReturnType<typeof graphRequests>;
  beforeAll(async () => {
    const project = await load(fixtures, [
      spec(fixtures, "annotation", "annotation.ts"),
      spec(fixtures, "zod", "zod.ts"),
      spec(fixtures, "state-schema", "state-schema.ts"),
      spec(fixtures, "subgraphs", "subgraphs.ts"),
      spec(fixtures, "agent", "agent.ts", "agent"),
      spec(fixtures, "factory", "factory.ts", "default"),
      spec(fixtures, "broken", "factory.ts", "brokenFactory"),
      spec(fixtures, "javascript", "plain.js"),
      spec(fixtures, "re-exported", "module.mts", "default"),
    ]);
    const statics = new StaticSchemas({ cacheDirectory: null, compiler });
    requests = graphRequests({ project }, statics);
  });

  const schemasOf = (graph_id: string) =>
    requests["graph.schemas"]({ graph_id, configurable: {} });

  test("an Annotation state gets its schemas from the types in the source", async () => {
    const schemas = await schemasOf("annotation");
    expect(schemas.graph_id).toBe("annotation");
    expect(schemas.state_schema).toMatchObject(
      schema(
        {
          messages: MESSAGES,
          address: { $ref: "#/definitions/Address" },
          comments: { type: "array", items: { $ref: "#/definitions/Comment" } },
          scores: { type: "object", additionalProperties: { type: "number" } },
          pair: {
            type: "array",
            items: [{ type: "string" }, { type: "number" }],
            minItems: 2,
            additionalItems: { type: "boolean" },
          },
          level: { type: ["string", "number"], enum: ["low", "high", 3] },
          anything: {},
          maybe: { type: ["string", "null"] },
        },
        [
          "address",
          "comments",
          "scores",
          "pair",
          "level",
          "anything",
          "maybe",
          "messages",
        ],
      ),
    );
    expect(schemas.state_schema?.["definitions"]).toMatchObject({
      Address: {
        properties: {
          street: { type: "string" },
          code: { type: "string", description: "Postal code, as written." },
        },
        required: ["street"],
      },
      Comment: {
        properties: {
          at: { type: "string", format: "date-time" },
          answers: { type: "array", items: { $ref: "#/definitions/Comment" } },
        },
      },
      BaseMessage: { type: "object", required: ["content"] },
    });
  });

  test("the input of a graph requires nothing and shows no reducer internals", async () => {
    const { input_schema } = await schemasOf("annotation");
    expect(input_schema).not.toHaveProperty("required");
    expect(input_schema?.["properties"]).toMatchObject({
      messages: MESSAGES,
      comments: { type: "array", items: { $ref: "#/definitions/Comment" } },
    });
    expect(JSON.stringify(input_schema)).not.toMatch(/overwrite/i);
  });

  test("an output of its own is a schema of its own", async () => {
    const { output_schema } = await schemasOf("annotation");
    expect(output_schema).toEqual(
      schema(
        { level: { type: ["string", "number"], enum: ["low", "high", 3] } },
        ["level"],
      ),
    );
  });

  test("the context is the schema of context and config", async () => {
    const schemas = await schemasOf("annotation");
    const context = schema(
      { model: { type: "string" }, temperature: { type: "number" } },
      ["model"],
    );
    expect(schemas.context_schema).toEqual(context);
    expect(schemas.config_schema).toEqual(context);
  });

  test("a zod state gets its schemas from the graph at run time", async () => {
    const schemas = await schemasOf("zod");
    const properties = schemas.state_schema?.["properties"];
    expect(schemas.state_schema?.["$schema"]).toBe(
      "http://json-schema.org/draft-07/schema#",
    );
    expect(properties).toMatchObject({
      messages: MESSAGES,
      topic: {
        type: "string",
        minLength: 1,
        description: "What it is about.",
      },
      due: {},
      tags: { type: "array", langgraph_nodes: ["think"] },
      pair: { type: "array", items: [{ type: "string" }, { type: "number" }] },
    });
    expect(schemas.input_schema?.["properties"]).toMatchObject({
      tags: { type: "string", langgraph_nodes: ["think"] },
    });
    expect(schemas.input_schema?.["required"]).toBeUndefined();
    expect(schemas.context_schema?.["properties"]).toMatchObject({
      model: { type: "string", default: "small" },
    });
  });

  test("a StateSchema keeps the references of its fields whole", async () => {
    const { state_schema, input_schema } = await schemasOf("state-schema");
    const properties = state_schema?.["properties"] as JsonObject;
    expect(properties["messages"]).toMatchObject(MESSAGES);
    expect(properties["due"]).toEqual({});
    expect(properties["log"]).toMatchObject({ type: "array" });
    expect(JSON.stringify(properties["tree"])).toContain("#/properties/tree");
    expect(input_schema?.["properties"]).toMatchObject({
      log: { type: "string" },
    });
  });

  test("an object that holds its graph, and a promise of a function, work as the graph does", async () => {
    const agent = await schemasOf("agent");
    expect(agent.state_schema?.["properties"]).toEqual({ messages: MESSAGES });
    const made = await schemasOf("factory");
    expect(made.state_schema).toEqual(
      schema({ question: { type: "string" } }, ["question"]),
    );
    expect(made.context_schema).toBeNull();
  });

  test("a factory that cannot make a graph just now still has schemas", async () => {
    const made = await schemasOf("broken");
    expect(made.state_schema).toEqual(
      schema({ question: { type: "string" } }, ["question"]),
    );
    await expect(
      requests["graph.draw"]({
        graph_id: "broken",
        configurable: {},
        xray: false,
      }),
    ).rejects.toThrow("this factory wants a user");
  });

  test("JavaScript says its types in JSDoc", async () => {
    const { state_schema } = await schemasOf("javascript");
    expect(state_schema).toEqual(
      schema(
        {
          order: { $ref: "#/definitions/Order" },
          count: { type: "number" },
        },
        ["order", "count"],
        {
          definitions: {
            Order: {
              type: "object",
              properties: {
                id: { type: "string" },
                amount: { type: "number", description: "In cents." },
              },
              required: ["id"],
            },
          },
        },
      ),
    );
  });

  test("a graph that another file makes is found through the export", async () => {
    const [here, there] = await Promise.all([
      schemasOf("re-exported"),
      schemasOf("annotation"),
    ]);
    expect(here.state_schema).toEqual(there.state_schema);
  });

  test("an unknown graph is refused by name", async () => {
    await expect(schemasOf("nobody")).rejects.toMatchObject({
      code: "not_found",
      message: 'Graph "nobody" not found',
    });
  });

  const subgraphsOf = (
    graph_id: string,
    recurse: boolean,
    namespace?: string,
  ) =>
    requests["graph.subgraphs"]({
      graph_id,
      configurable: {},
      recurse,
      ...(namespace === undefined ? {} : { namespace }),
    });

  test("subgraphs are the direct children, or all when asked to recurse", async () => {
    expect(Object.keys(await subgraphsOf("subgraphs", false))).toEqual([
      "gp_two",
      "gp_three",
    ]);
    expect(Object.keys(await subgraphsOf("subgraphs", true))).toEqual([
      "gp_two",
      "gp_two|p_two",
      "gp_three",
    ]);
  });

  test("each subgraph has its own schemas under both spellings", async () => {
    const found = await subgraphsOf("subgraphs", true);
    const middle = schema({ middle: { type: "number" } }, ["middle"]);
    expect(found["gp_two"]).toMatchObject({
      state: middle,
      state_schema: middle,
      output: middle,
      output_schema: middle,
      input: { properties: { middle: { type: "number" } } },
      input_schema: { properties: { middle: { type: "number" } } },
      config: null,
      config_schema: null,
      context_schema: null,
    });
    const inner = { inner: { type: "boolean" }, messages: MESSAGES };
    expect(found["gp_two|p_two"]).toMatchObject({
      state: { properties: inner },
    });
    expect(found["gp_three"]).toMatchObject({ state: { properties: inner } });
  });

  test("a namespace limits the answer to that subgraph, however deep", async () => {
    expect(
      Object.keys(await subgraphsOf("subgraphs", false, "gp_two")),
    ).toEqual(["gp_two"]);
    expect(
      Object.keys(await subgraphsOf("subgraphs", false, "gp_two|p_two")),
    ).toEqual(["gp_two|p_two"]);
    expect(await subgraphsOf("subgraphs", true, "nobody")).toEqual({});
  });

  const drawingOf = async (graph_id: string, xray: boolean | number) => {
    const drawn = (await requests["graph.draw"]({
      graph_id,
      configurable: {},
      xray,
    })) as { nodes: JsonObject[]; edges: JsonObject[] };
    return { ...drawn, ids: drawn.nodes.map((node) => node["id"]) };
  };

  test("a drawing has nodes and edges", async () => {
    const { nodes, edges } = await drawingOf("annotation", false);
    expect(nodes).toMatchObject([
      { id: "__start__", type: "schema" },
      { id: "think", type: "runnable", data: { name: "think" } },
      { id: "__end__", type: "schema" },
    ]);
    expect(edges).toMatchObject([
      { source: "__start__", target: "think" },
      { source: "think", target: "__end__" },
    ]);
  });

  test("xray opens subgraphs, to a depth or all of them", async () => {
    expect((await drawingOf("subgraphs", false)).ids).toContain("gp_two");
    expect((await drawingOf("subgraphs", 1)).ids).toContain("gp_two:p_two");
    expect((await drawingOf("subgraphs", true)).ids).toContain("gp_two:before");
  });

  test("a factory gets the configurable of the request", async () => {
    const drawn = await requests["graph.draw"]({
      graph_id: "factory",
      configurable: { node: "reply" },
      xray: false,
    });
    expect(JSON.stringify(drawn)).toContain('"id":"reply"');
  });
});

describe("a project that changes", () => {
  const roots: string[] = [];
  afterAll(() =>
    Promise.all(
      roots.map((root) => rm(root, { recursive: true, force: true })),
    ),
  );

  async function projectWith(files: Record<string, string>): Promise<string> {
    const root = await mkdtemp(join(tmpdir(), "spool-schemas-"));
    roots.push(root);
    await symlink(
      join(here, "..", "..", "node_modules"),
      join(root, "node_modules"),
    );
    for (const [name, text] of Object.entries(files))
      await writeFile(join(root, name), text);
    return root;
  }

  const graphWith = (state: string, more = "") => `
    import { Annotation, StateGraph } from "@langchain/langgraph";
    ${more}
    const State = Annotation.Root({ ${state} });
    export const graph = new StateGraph(State)
      .addNode("think", () => ({}))
      .addEdge("__start__", "think")
      .compile();
  `;

  /** As a process that has just started: nothing in memory. */
  async function ask(root: string, withCompiler = compiler) {
    const project = await load(root, [spec(root, "graph", "graph.ts")]);
    const statics = new StaticSchemas({
      cacheDirectory: join(root, "cache"),
      compiler: withCompiler,
    });
    const requests = graphRequests({ project }, statics);
    return () =>
      requests["graph.schemas"]({ graph_id: "graph", configurable: {} });
  }

  async function cacheFiles(root: string): Promise<string[]> {
    const names = await readdir(join(root, "cache")).catch(() => []);
    return names.map((name) => join(root, "cache", name));
  }

  /** Marks what is on disk, so that an answer shows where it came from. */
  async function markCache(root: string): Promise<void> {
    const [file] = await cacheFiles(root);
    if (file === undefined) throw new Error("nothing is cached");
    const entry = JSON.parse(await readFile(file, "utf8"));
    entry.schemas[""].state.title = "from disk";
    await writeFile(file, JSON.stringify(entry));
  }

  test("schemas are read from disk until a file of the project changes", async () => {
    const root = await projectWith({
      "graph.ts": graphWith(
        "item: Annotation<Item>",
        'import type { Item } from "./item.ts";',
      ),
      "item.ts": "export interface Item { name: string }",
    });
    await (
      await ask(root)
    )();
    expect(await cacheFiles(root)).toHaveLength(1);
    await markCache(root);
    expect((await (await ask(root))()).state_schema).toMatchObject({
      title: "from disk",
    });
    await writeFile(
      join(root, "item.ts"),
      "export interface Item { name: number }",
    );
    const { state_schema } = await (await ask(root))();
    expect(state_schema).not.toHaveProperty("title");
    expect(state_schema).toMatchObject({
      definitions: { Item: { properties: { name: { type: "number" } } } },
    });
  });

  test("a tsconfig.json that appears makes the schemas anew", async () => {
    const root = await projectWith({
      "graph.ts": graphWith("maybe: Annotation<string | null>"),
    });
    await (
      await ask(root)
    )();
    await markCache(root);
    await writeFile(
      join(root, "tsconfig.json"),
      '{ "compilerOptions": { "strict": false, "module": "NodeNext" } }',
    );
    const { state_schema } = await (await ask(root))();
    expect(state_schema?.["properties"]).toEqual({ maybe: { type: "string" } });
  });

  test("a damaged cache file is replaced", async () => {
    const root = await projectWith({
      "graph.ts": graphWith("n: Annotation<number>"),
    });
    const before = await (await ask(root))();
    const [file] = await cacheFiles(root);
    await writeFile(file ?? "", '{"schemas": ');
    expect(await (await ask(root))()).toEqual(before);
    await markCache(root); // whole again
  });

  test("an import that leads nowhere yet keeps the schemas off the disk", async () => {
    const root = await projectWith({
      "graph.ts": graphWith(
        "item: Annotation<Item>",
        'import type { Item } from "./later.ts";',
      ),
    });
    const { state_schema } = await (await ask(root))();
    expect(state_schema?.["properties"]).toEqual({ item: {} });
    expect(await cacheFiles(root)).toEqual([]);
  });

  test("a file with a type error gives what it can", async () => {
    const root = await projectWith({
      "graph.ts": graphWith(
        "n: Annotation<number>, lost: Annotation<NoSuchType>",
        "const wrong: number = 'text';",
      ),
    });
    const { state_schema } = await (await ask(root))();
    expect(state_schema?.["properties"]).toEqual({
      n: { type: "number" },
      lost: {},
    });
  });

  test("two who ask at once wait for one extraction", async () => {
    const root = await projectWith({
      "graph.ts": graphWith("n: Annotation<number>"),
    });
    const schemas = await ask(root);
    const [one, other] = await Promise.all([schemas(), schemas()]);
    expect(one.state_schema).not.toBeNull();
    expect(one.state_schema).toBe(other.state_schema);
  });

  test("an extraction that takes too long is stopped and says so, and the next one works", async () => {
    const root = await projectWith({
      "graph.ts": graphWith("n: Annotation<number>"),
    });
    const hasty = new SchemaCompiler({ timeoutMs: 1 });
    await expect((await ask(root, hasty))()).rejects.toThrow(
      'Failed to extract schema for "graph": the compiler took longer than 1 ms',
    );
    expect((await (await ask(root))()).state_schema).not.toBeNull();
  });

  test("this process goes on while the compiler works", async () => {
    const root = await projectWith({
      "graph.ts": graphWith("n: Annotation<number>"),
    });
    const schemas = await ask(root, new SchemaCompiler({ timeoutMs: 60_000 }));
    let longest = 0;
    let last = performance.now();
    const timer = setInterval(() => {
      longest = Math.max(longest, performance.now() - last);
      last = performance.now();
    }, 5);
    await schemas();
    clearInterval(timer);
    expect(longest).toBeLessThan(1000); // it works for longer, and on a loaded machine longer still
  });
});
