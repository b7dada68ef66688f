import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  systemAssistantId,
  type Assistant,
} from "../../src/model/assistant.ts";
import { json, sql } from "../../src/storage/sql.ts";
import {
  fixtureGraph,
  openTestApp,
  postJson,
  type TestApp,
} from "../support/apps.ts";

let server: TestApp;

const GRAPHS = [
  fixtureGraph(
    "nested",
    "state-graphs/nested.ts:graph",
    "Asks for the weather",
  ),
  fixtureGraph("subgraphs", "schema-graphs/subgraphs.ts:graph"),
  fixtureGraph("by-config", "state-graphs/by-config.ts:graph"),
];

beforeAll(async () => {
  server = await openTestApp({
    graphs: GRAPHS,
    defaults: {
      "by-config": {
        tags: ["t"],
        configurable: { node: "chosen" },
        context: { tone: "dry" },
      },
    },
  });
});
afterAll(() => server.close());

const idOf = systemAssistantId;

async function get<Body = Record<string, unknown>>(path: string) {
  const response = await server.app.request(path);
  return { status: response.status, body: (await response.json()) as Body };
}

async function search(body: object, app = server.app) {
  const response = await postJson(app, "/assistants/search", body);
  const rows = (await response.json()) as Assistant[];
  return {
    status: response.status,
    rows,
    names: Array.isArray(rows) ? rows.map(({ name }) => name) : [],
    total: response.headers.get("x-pagination-total"),
    next: response.headers.get("x-pagination-next"),
  };
}

describe("one assistant", () => {
  test("the id for a graph is the one that every server gives it", () => {
    expect(idOf("agent")).toBe("fe096781-5601-53d2-b2f6-0d3403f7e9ca");
  });

  test("is found by its id, in any case, and by the id of its graph", async () => {
    const id = idOf("nested");
    const { status, body } = await get(`/assistants/${id}`);
    expect(status).toBe(200);
    expect(body).toEqual({
      assistant_id: id,
      graph_id: "nested",
      name: "nested",
      description: "Asks for the weather",
      config: {},
      context: {},
      metadata: { created_by: "system" },
      version: 1,
      created_at: expect.stringMatching(/^\d{4}-.*Z$/),
      updated_at: body["created_at"],
    });
    expect((await get(`/assistants/${id.toUpperCase()}`)).body).toEqual(body);
    expect((await get("/assistants/nested")).body).toEqual(body);
  });

  test("takes its config and context from LANGGRAPH_CONFIG", async () => {
    const { body } = await get("/assistants/by-config");
    expect(body).toMatchObject({
      config: { tags: ["t"], configurable: { node: "chosen" } },
      context: { tone: "dry" },
    });
    expect(body["config"]).not.toHaveProperty("context");
  });

  test.each(["unknown", "0191d0a4-0000-7000-8000-000000000009", "__proto__"])(
    "%s is not found",
    async (id) => {
      expect(await get(`/assistants/${id}`)).toEqual({
        status: 404,
        body: { detail: "Assistant not found" },
      });
    },
  );

  test("a run of an unknown assistant says so in the words that clients look for", async () => {
    const response = await postJson(server.app, "/runs/wait", {
      assistant_id: "unknown",
    });
    expect(response.status).toBe(404);
    expect(await response.json()).toEqual({
      detail:
        'No assistant found for "unknown". Make sure the assistant ID is for a valid assistant or a valid graph ID.',
    });
  });
});

describe("search and count", () => {
  let app: TestApp;

  /** `created_at` is the number of the row, so that orders are known. */
  const ROWS: [name: string, graph: string, metadata: object][] = [
    ["Ärger", "nested", { team: "a", tags: ["x", "y"] }],
    ["100%_sure", "nested", { team: "a", deep: { er: [1, { two: 2 }] } }],
    ["SIMPLE_runtime", "other", { team: "b", nothing: null }],
    ["simple", "other", {}],
    ["simple", "other", { team: "b" }],
  ];

  beforeAll(async () => {
    app = await openTestApp();
    await app.database.transaction(async (tx) => {
      for (const [index, [name, graph, metadata]] of ROWS.entries())
        await tx.query(sql`
          insert into assistants (assistant_id, graph_id, name, metadata, created_at, updated_at)
          values (${`0191d0a4-0000-7000-8000-00000000000${index}`}, ${graph}, ${name},
                  ${json(metadata)}, ${new Date(1000 + Math.min(index, 3))}, ${new Date(9000 - index)})`);
    });
  });
  afterAll(() => app.close());

  const names = async (body: object) => (await search(body, app.app)).names;
  const count = async (body: object) =>
    (await postJson(app.app, "/assistants/count", body)).json();

  test("the newest come first, the id decides between equals", async () => {
    const { rows, total, next } = await search({}, app.app);
    expect(rows.map((row) => row.assistant_id.at(-1))).toEqual([
      "4",
      "3",
      "2",
      "1",
      "0",
    ]);
    expect([total, next]).toEqual(["5", null]);
  });

  test("pages cover all rows once, and say where the next one starts", async () => {
    const first = await search({ limit: 2 }, app.app);
    const second = await search({ limit: 2, offset: 2 }, app.app);
    const third = await search({ limit: 2, offset: 4 }, app.app);
    const beyond = await search({ limit: 2, offset: 9 }, app.app);
    expect([first, second, third, beyond].map((page) => page.next)).toEqual([
      "2",
      "4",
      null,
      null,
    ]);
    const seen = [...first.rows, ...second.rows, ...third.rows];
    expect(new Set(seen.map((row) => row.assistant_id)).size).toBe(5);
    expect(beyond.rows).toEqual([]);
    expect(beyond.total).toBe("5");
  });

  test.each([
    [
      "a part of the name in any case",
      { name: "simple_RUN" },
      ["SIMPLE_runtime"],
    ],
    ["letters beyond ASCII", { name: "äRG" }, ["Ärger"]],
    ["% as it stands", { name: "%" }, ["100%_sure"]],
    ["_ as it stands", { name: "%_s" }, ["100%_sure"]],
    ["the graph", { graph_id: "nested" }, ["100%_sure", "Ärger"]],
    ["a part of the graph's id not at all", { graph_id: "nest" }, []],
    ["metadata", { metadata: { team: "a" } }, ["100%_sure", "Ärger"]],
    ["an element of a list in it", { metadata: { tags: ["y"] } }, ["Ärger"]],
    [
      "objects inside of it",
      { metadata: { deep: { er: [{ two: 2 }] } } },
      ["100%_sure"],
    ],
    [
      "null only where null is",
      { metadata: { nothing: null } },
      ["SIMPLE_runtime"],
    ],
    [
      "all of them together",
      { name: "simple", graph_id: "other", metadata: { team: "b" } },
      ["simple", "SIMPLE_runtime"],
    ],
  ])("matches %s", async (_what, filters, expected) => {
    expect(await names(filters)).toEqual(expected);
    expect(await count(filters)).toBe(expected.length);
  });

  test("an empty metadata filter matches all", async () => {
    expect(await count({ metadata: {} })).toBe(5);
  });

  test("sorts by what is asked, both ways", async () => {
    expect(await names({ sort_by: "updated_at", sort_order: "asc" })).toEqual([
      "simple",
      "simple",
      "SIMPLE_runtime",
      "100%_sure",
      "Ärger",
    ]);
    expect((await names({ sort_by: "name" }))[0]).toBe("Ärger");
  });

  test("select leaves only what was named", async () => {
    const { rows } = await search(
      { select: ["name", "graph_id"], limit: 1 },
      app.app,
    );
    expect(rows).toEqual([{ name: "simple", graph_id: "other" }]);
  });

  test.each([
    [{ limit: 0 }, "limit"],
    [{ limit: 1001 }, "limit"],
    [{ offset: -1 }, "offset"],
    [{ sort_by: "version; drop table threads" }, "sort_by"],
    [{ sort_order: "up" }, "sort_order"],
    [{ select: ["secret"] }, "select[0]"],
    [{ metadata: [] }, "metadata"],
    [{ name: 3 }, "name"],
  ])("%j is 422 and names %s", async (body, field) => {
    const response = await postJson(app.app, "/assistants/search", body);
    const { errors } = (await response.json()) as {
      errors: { field: string }[];
    };
    expect(response.status).toBe(422);
    expect(errors.map((error) => error.field)).toEqual([field]);
  });
});

/** The TypeScript compiler reads the source of the graph for its schemas. */
const COMPILER_MS = 90_000;

describe(
  "what a worker tells about the graph",
  { timeout: COMPILER_MS },
  () => {
    interface Drawing {
      nodes: { id: string; type: string }[];
      edges: { source: string; target: string }[];
    }
    const nodes = async (query: string) => {
      const { status, body } = await get<Drawing>(
        `/assistants/nested/graph${query}`,
      );
      expect(status).toBe(200);
      return body.nodes.map(({ id }) => id);
    };

    test("the drawing has the nodes and edges of the graph itself", async () => {
      const { body } = await get<Drawing>("/assistants/nested/graph");
      expect(body.nodes).toContainEqual(
        expect.objectContaining({ id: "__start__", type: "schema" }),
      );
      expect(body.edges).toContainEqual(
        expect.objectContaining({ source: "route", target: "forecaster" }),
      );
      expect(await nodes("?xray=false")).toContain("forecaster");
      expect(await nodes("?xray=0")).toContain("forecaster");
    });

    test.each(["?xray=true", "?xray=True", "?xray=1", "?xray=2"])(
      "with %s it has those of subgraphs too",
      async (query) => {
        expect(await nodes(query)).toContain("forecaster:predict");
      },
    );

    test("xray that is neither a depth nor a boolean is 422", async () => {
      const { status, body } = await get("/assistants/nested/graph?xray=deep");
      expect(status).toBe(422);
      expect(body["detail"]).toMatch(/^xray: /);
    });

    test("a factory draws what the assistant's config makes it build", async () => {
      const { body } = await get<Drawing>("/assistants/by-config/graph");
      expect(body.nodes.map(({ id }) => id)).toContain("chosen");
    });

    test("schemas say what goes in and out", async () => {
      const { status, body } = await get("/assistants/nested/schemas");
      expect(status).toBe(200);
      expect(body).toMatchObject({
        graph_id: "nested",
        input_schema: { properties: { city: { type: "string" } } },
        state_schema: { properties: { forecast: { type: "string" } } },
      });
    });

    test("subgraphs are the direct children, or with recurse all", async () => {
      const direct = await get("/assistants/subgraphs/subgraphs");
      const all = await get("/assistants/subgraphs/subgraphs?recurse=true");
      expect(Object.keys(direct.body)).toContain("gp_two");
      expect(Object.keys(direct.body)).not.toContain("gp_two|p_two");
      expect(Object.keys(all.body)).toContain("gp_two|p_two");
      expect(all.body["gp_two"]).toMatchObject({
        state: expect.anything(),
        state_schema: expect.anything(),
      });
    });

    test("a namespace, percent-encoded, limits them", async () => {
      const { status, body } = await get(
        "/assistants/subgraphs/subgraphs/gp_two%7Cp_two?recurse=true",
      );
      expect(status).toBe(200);
      expect(Object.keys(body)).toEqual(["gp_two|p_two"]);
    });

    test.each(["graph", "schemas", "subgraphs", "subgraphs/x"])(
      "/%s of an unknown assistant is 404",
      async (what) => {
        expect(await get(`/assistants/unknown/${what}`)).toEqual({
          status: 404,
          body: { detail: "Assistant not found" },
        });
      },
    );
  },
);
