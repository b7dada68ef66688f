import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ThreadSnapshot } from "../../src/model/thread.ts";
import {
  temporaryProject,
  type TemporaryProject,
} from "../support/temporary-project.ts";
import { WorkerBench } from "../support/worker-bench.ts";

const MAKE = `
import { Annotation, START, StateGraph } from "@langchain/langgraph";
const State = Annotation.Root({ value: Annotation<string> });
export const make = (value: string) =>
  new StateGraph(State).addNode("set", () => ({ value })).addEdge(START, "set").compile();
`;

const KINDS = {
  "tsconfig.json": `{ "compilerOptions": { "module": "NodeNext", "paths": { "@lib/*": ["./lib/*"] } } }`,
  "lib/make.ts": MAKE,
  "features.ts": `
    import { make } from "@lib/make.ts";
    import { make as sameByJs } from "./lib/make.js";
    enum Color { Red = "red" }
    namespace Names { export const first = "namespace" }
    class Named { constructor(readonly name: string) {} }
    function shout(method: () => string, _context: ClassMethodDecoratorContext) {
      return function (this: unknown) { return method.call(this).toUpperCase() };
    }
    class Loud { @shout say(): string { return "decorated" } }
    export const graph = make([
      Color.Red, Names.first, new Named("property").name, new Loud().say(), make === sameByJs,
    ].join());`,
  "legacy/tsconfig.json": `{ "compilerOptions": { "experimentalDecorators": true } }`,
  "legacy/decorated.ts": `
    import { make } from "../lib/make.ts";
    const seen: string[] = [];
    function note(_target: object, key: string) { seen.push(key) }
    class Noted { @note field = 1 }
    export const graph = make(seen.join() + new Noted().field);`,
  "esm.mts": `import { make } from "./lib/make.ts"; export const graph = make("mts" as string);`,
  "component.tsx": `import { make } from "./lib/make.ts"; const T = (): string => "tsx"; export const graph = make(T());`,
  "module.mjs": `import { make } from "./lib/make.ts"; export const graph = make("mjs");`,
  "plain.js": `import { make } from "./lib/make.ts"; export const graph = make("js");`,
  "common.cjs": `
    const { Annotation, START, StateGraph } = require("@langchain/langgraph");
    const State = Annotation.Root({ value: Annotation() });
    const make = (value) =>
      new StateGraph(State).addNode("set", () => ({ value })).addEdge(START, "set").compile();
    module.exports = Object.assign({}, { graph: make("cjs"), make });`,
  "common.cts": `
    import { make } from "./common.cjs";
    interface Kind { name: string }
    const kind: Kind = { name: "cts" };
    export const graph = make(kind.name);`,
  "traced.ts": `
    import { make } from "./lib/make.ts";
    interface Long {
      gone: string;
    }
    const place = () => new Error("here").stack?.match(/traced\\.ts:\\d+/)?.[0];
    export const graph = make(String(place()));`,
};

const BROKEN = {
  "syntax.ts": "export const graph = {\n  x: 1,\n  y: ];\n",
  "nested.ts": `import { graph as inner } from "./syntax.ts";\nexport const graph = inner;\n`,
  "package.ts": `import { make } from "./good.ts";\nimport { b } from "not-installed/part";\nexport const graph = [make, b];\n`,
  "file.ts": `import { b } from "./nowhere.ts";\nexport const graph = b;\n`,
  "name.ts": `import { absent } from "./good.ts";\nexport const graph = absent;\n`,
  "throws.ts": `interface Settings {\n  key: string;\n}\n\nfunction read(): Settings {\n  throw new TypeError("no key");\n}\n\nexport const graph = read();\n`,
  "text.ts": `throw "only text";\n`,
  "wrong.ts": `export const graph = { nodes: 3 };\nexport const nothing = null;\n`,
  "good.ts": `${MAKE}\nexport const graph = make("good");\n`,
};

let kinds: TemporaryProject;
let broken: TemporaryProject;
let bench: WorkerBench;

beforeAll(async () => {
  kinds = temporaryProject(KINDS);
  broken = temporaryProject(BROKEN);
  bench = await WorkerBench.spawned(kinds.root);
});

afterAll(async () => {
  await bench[Symbol.asyncDispose]();
  kinds[Symbol.dispose]();
  broken[Symbol.dispose]();
});

describe("a worker process loads", () => {
  const values = {
    "features.ts": "red,namespace,property,DECORATED,true",
    "legacy/decorated.ts": "field1",
    "esm.mts": "mts",
    "component.tsx": "tsx",
    "module.mjs": "mjs",
    "plain.js": "js",
    "common.cjs": "cjs",
    "common.cts": "cts",
    "traced.ts": "traced.ts:6",
  };

  it("graphs of every kind of file", async () => {
    const files = Object.keys(values);
    const graphs = Object.fromEntries(
      files.map((file) => [file, `${file}:graph`]),
    );
    const { loaded, failed } = await bench.load(graphs, kinds.root);
    expect(failed).toEqual({});
    expect(loaded.sort()).toEqual(files.sort());
    expect([...bench.notices].sort()).toEqual(
      files.map((file) => `loaded ${file}`),
    );
    for (const [file, value] of Object.entries(values)) {
      const { outcome } = await bench.run(file, { input: { value: "" } });
      const { snapshot } = outcome as { snapshot: ThreadSnapshot };
      expect(snapshot?.values).toEqual({ value });
    }
  });
});

describe("a graph that fails to load", () => {
  const load = async (file: string, name = "graph") => {
    const graphs = { it: `${file}:${name}`, good: "good.ts:graph" };
    const { loaded, failed } = await bench.load(graphs, broken.root);
    expect(loaded).toEqual(["good"]);
    expect(bench.failures.get("it")).toEqual(failed.it);
    return failed.it;
  };

  it("has a syntax error, shown where it is", async () => {
    const failure = await load("syntax.ts");
    expect(failure).toMatchObject({
      name: "SyntaxError",
      file: "syntax.ts",
      line: 3,
      column: 6,
      frame: expect.stringContaining("> 3 |   y: ];"),
    });
    expect(await load("nested.ts")).toEqual(failure);
  });

  it("imports what is not there, shown at the import", async () => {
    expect(await load("file.ts")).toMatchObject({
      message: "Cannot find module 'nowhere.ts' imported from file.ts",
      file: "file.ts",
      line: 1,
    });
    expect(await load("package.ts")).toMatchObject({
      message: "Cannot find package 'not-installed' imported from package.ts",
      file: "package.ts",
      line: 2,
      frame: expect.stringContaining("> 2 | import { b } from"),
    });
    expect(await load("name.ts")).toMatchObject({
      name: "SyntaxError",
      file: "name.ts",
      line: 1,
      column: 10,
    });
  });

  it("throws while it loads, shown where it throws", async () => {
    expect(await load("throws.ts")).toEqual({
      name: "TypeError",
      message: "no key",
      file: "throws.ts",
      line: 6,
      column: 9,
      frame: expect.stringContaining('> 6 |   throw new TypeError("no key");'),
    });
    expect(await load("text.ts")).toMatchObject({
      name: "Error",
      message: "only text",
      file: "text.ts",
    });
  });

  it("exports something else, or nothing", async () => {
    expect(await load("wrong.ts")).toMatchObject({
      message: expect.stringContaining("a plain object, not a graph"),
      file: "wrong.ts",
    });
    expect((await load("wrong.ts", "nothing"))?.message).toBe(
      "Failed to load graph: graph is nullush",
    );
    expect((await load("wrong.ts", "grph"))?.message).toBe(
      'Failed to load graph: graph is nullush (wrong.ts has no export "grph"; it exports graph, nothing)',
    );
    expect((await load("absent.ts"))?.message).toBe(
      'absent.ts does not exist; check "graphs" in langgraph.json',
    );
  });

  it("ends its runs with the reason", async () => {
    await load("throws.ts");
    const { outcome } = await bench.run("it");
    expect(outcome).toMatchObject({
      status: "error",
      error: {
        error: "GraphLoadError",
        message: 'Graph "it" failed to load: TypeError: no key (throws.ts:6)',
      },
    });
  });
});
