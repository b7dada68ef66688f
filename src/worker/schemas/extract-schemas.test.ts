import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type TS from "typescript";
import { afterAll, beforeAll, expect, test } from "vitest";
import { extractSchemas } from "./extract-schemas.ts";

const parsed = new Map<string, TS.SourceFile>();
let root: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "spool-extract-"));
  const packages = new URL("../../../node_modules", import.meta.url);
  await symlink(fileURLToPath(packages), join(root, "node_modules"));
});

afterAll(() => rm(root, { recursive: true, force: true }));

async function extract(name: string, text: string, export_name = "graph") {
  const file = join(root, name);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text);
  return extractSchemas({ file, export_name }, parsed);
}

/** The names of the channels, by namespace. */
async function channels(name: string, text: string, export_name = "graph") {
  const { schemas } = await extract(name, text, export_name);
  return Object.fromEntries(
    Object.entries(schemas).map(([namespace, { state }]) => [
      namespace,
      state && Object.keys(state["properties"] ?? {}),
    ]),
  );
}

const IMPORT = `import { Annotation, StateGraph } from "@langchain/langgraph";\n`;
const CHILD = `
  const child = new StateGraph(Annotation.Root({ c: Annotation<string> }))
    .addNode("x", () => ({})).addEdge("__start__", "x").compile();
`;
const STATE = `const State = Annotation.Root({ s: Annotation<string> });\n`;

test("a builder that is not compiled is a graph too", async () => {
  const text = `${IMPORT}${STATE}export const graph = new StateGraph(State).addNode("x", () => ({}));`;
  expect(await channels("builder.ts", text)).toEqual({ "": ["s"] });
});

test("a promise, and a function that wraps the graph in an object, are looked into", async () => {
  const text = `${IMPORT}${STATE}
    const make = async () => ({ graph: new StateGraph(State).addNode("x", () => ({})).compile() });
    export const graph = make;
    export const promised = Promise.resolve(new StateGraph(State).compile());`;
  expect(await channels("wrapped.ts", text)).toEqual({ "": ["s"] });
  expect(await channels("wrapped.ts", text, "promised")).toEqual({
    "": ["s"],
  });
});

test("the subgraphs of every form of addNode are found", async () => {
  const text = `${IMPORT}${STATE}${CHILD}
    const builder = new StateGraph(State).addNode({ one: child, two: () => ({}) });
    const more = builder.addNode([["three", child], ["four", () => ({}), { subgraphs: [child] }]]);
    more.addNode("five", child);
    export const graph = more.compile();`;
  expect(await channels("forms.ts", text)).toEqual({
    "": ["s"],
    one: ["c"],
    three: ["c"],
    four: ["c"],
    five: ["c"],
  });
});

test("two builders of one file keep their subgraphs apart", async () => {
  const text = `${IMPORT}${STATE}${CHILD}
    export const other = new StateGraph(State).addNode("theirs", child).compile();
    export const graph = new StateGraph(State).addNode("mine", child).compile();`;
  expect(await channels("apart.ts", text)).toEqual({
    "": ["s"],
    mine: ["c"],
  });
});

test("a graph that holds itself comes to an end", async () => {
  const text = `${IMPORT}${STATE}
    const make = (): any => graph;
    export const graph = new StateGraph(State).addNode("self", make() as typeof graph).compile();`;
  expect(await channels("circular.ts", text)).toHaveProperty("");
});

test("CommonJS in TypeScript and in JavaScript works", async () => {
  const body = `new StateGraph(Annotation.Root({ s: Annotation({ reducer: (a, b) => b, default: () => "" }) })).compile()`;
  const require = `const { Annotation, StateGraph } = require("@langchain/langgraph");\n`;
  expect(
    await channels("common.cjs", `${require}exports.graph = ${body};`),
  ).toEqual({ "": ["s"] });
  expect(
    await channels(
      "whole.cjs",
      `${require}module.exports = ${body};`,
      "default",
    ),
  ).toEqual({ "": ["s"] });
  expect(
    await channels("typed.cts", `${IMPORT}export const graph = ${body};`),
  ).toEqual({ "": ["s"] });
});

test("a file in TSX works", async () => {
  const text = `${IMPORT}${STATE}export const graph = new StateGraph(State).compile();
    export const view = () => <div />;`;
  expect(await channels("view.tsx", text)).toEqual({ "": ["s"] });
});

test("an export that is no graph, or is not there, has no schemas", async () => {
  expect(await channels("none.ts", "export const graph = 42;")).toEqual({
    "": null,
  });
  expect(await channels("none.ts", "export const a = 1;")).toEqual({
    "": null,
  });
});

test("the paths and the strictness of the project's tsconfig.json hold", async () => {
  await mkdir(join(root, "configured"));
  await writeFile(
    join(root, "configured", "tsconfig.json"),
    `{ "compilerOptions": { // a comment
        "strict": true, "moduleResolution": "node", "module": "commonjs", "paths": { "@/*": ["./lib/*"] } } }`,
  );
  await writeFile(
    join(root, "configured", "globals.d.ts"),
    "interface Everywhere { here: true }",
  );
  await mkdir(join(root, "configured", "lib"));
  await writeFile(
    join(root, "configured", "lib", "state.ts"),
    `${IMPORT}export const State = Annotation.Root({ far: Annotation<string>, all: Annotation<Everywhere> });`,
  );
  const text = `import { StateGraph } from "@langchain/langgraph"; import { State } from "@/state";
    export const graph = new StateGraph(State).compile();`;
  const { schemas, fingerprint } = await extract("configured/graph.ts", text);
  expect(schemas[""]?.state?.["definitions"]).toMatchObject({
    Everywhere: { properties: { here: { const: true } } },
  });
  const files = Object.keys(fingerprint.files).map((file) =>
    file.slice(file.indexOf("configured/")),
  );
  expect(files.sort()).toEqual([
    "configured/globals.d.ts",
    "configured/graph.ts",
    "configured/lib/state.ts",
    "configured/tsconfig.json",
  ]);
  expect(Object.values(fingerprint.packages)).toEqual(
    expect.arrayContaining([expect.stringMatching(/^@langchain\/langgraph@1/)]),
  );
});

test("only an import that leads nowhere leaves the result open", async () => {
  const whole = `import "./whole.cjs"; import fs from "node:fs"; export const graph = fs;`;
  expect((await extract("closed.ts", whole)).isOpenEnded).toBe(false);
  const open = `import "./nowhere.ts"; export const graph = 1;`;
  expect((await extract("open.ts", open)).isOpenEnded).toBe(true);
});
