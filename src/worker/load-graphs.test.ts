import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import {
  buildGraph,
  emptyProject,
  loadProject,
  type GraphUse,
} from "./load-graphs.ts";

const root = fileURLToPath(
  new URL("../../test/fixtures/worker-graphs", import.meta.url),
);
const project = emptyProject();
const NAMES = [
  "builder",
  "compiled",
  "promised",
  "wrapped",
  "default",
  "factory",
  "failing",
];

const USE: GraphUse = {
  configurable: { color: "red" },
  context: { tone: "dry" },
  accessContext: "threads.read",
};

beforeAll(async () => {
  const graphs = NAMES.map((name) => ({
    graph_id: name,
    file: `${root}/forms.ts`,
    export_name: name,
    description: null,
  }));
  const failed: string[] = [];
  await loadProject(
    project,
    { root, graphs },
    {
      loaded: () => {},
      failed: (_id, failure) => void failed.push(failure.message),
    },
  );
  expect(failed).toEqual([]);
});

describe("buildGraph", () => {
  it.each(["builder", "compiled", "promised", "wrapped", "default"])(
    "gives the graph of an export that is %s, the same each time",
    async (name) => {
      const graph = await buildGraph(project, name, USE);
      expect(await graph.invoke({ value: "" })).toEqual({ value: "set" });
      expect(await buildGraph(project, name, USE)).toBe(graph);
    },
  );

  it("calls a factory for every use, and tells it what for", async () => {
    const read = await buildGraph(project, "factory", USE);
    expect(JSON.parse(read.getName())).toEqual({
      configurable: { color: "red" },
      options: { accessContext: "threads.read", executionRuntime: null },
    });
    const run = await buildGraph(project, "factory", {
      ...USE,
      accessContext: "threads.create_run",
    });
    expect(JSON.parse(run.getName())).toMatchObject({
      options: { executionRuntime: { context: { tone: "dry" } } },
    });
  });

  it("rejects with what a factory throws", async () => {
    await expect(buildGraph(project, "failing", USE)).rejects.toThrow(
      new RangeError("the factory failed"),
    );
  });

  it("says that a graph is not there, with a code for the client", async () => {
    await expect(buildGraph(project, "absent", USE)).rejects.toMatchObject({
      code: "not_found",
      message: 'Graph "absent" not found',
    });
  });
});
