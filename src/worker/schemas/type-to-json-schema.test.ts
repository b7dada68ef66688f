import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type TS from "typescript";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openProgram } from "./project-program.ts";
import { typeToJsonSchema } from "./type-to-json-schema.ts";

const SOURCE = `
  enum Mood { Calm = "calm", Busy = "busy" }
  enum Level { Low, High }
  interface Box<T> { content: T }
  interface Comment { text: string; answers: Comment[] }
  interface Growing<T> { next: Growing<T[]> }
  class Person {
    name = "";
    readonly age: number = 1;
    #secret = 1;
    private hidden = 2;
    protected kept = 3;
    greet() { return this.hidden + this.kept + this.#secret; }
  }
  class Money { constructor(readonly cents: number) {} toJSON() { return String(this.cents); } }
  type Json = string | number | boolean | null | Json[] | { [key: string]: Json };
  type Tree = Tree[];
  declare class BaseMessage { content: string; lc_namespace: string[] }
  declare class AIMessage extends BaseMessage { tool_calls: unknown[] }
  interface OverwriteValue<T> { __overwrite__: T }

  export interface Cases {
    string: string; number: number; boolean: boolean; null: null; bigint: bigint;
    literal: "a"; truth: true; template: \`a-\${string}\`;
    anything: any; unknown: unknown; object: object;
    literals: "a" | "b" | 3; nullable: string | null; maybeFlag: boolean | null;
    literalOrNull: "a" | "b" | null; mixed: string | number; choice: { a: string } | { b: number };
    open: "small" | { size: number };
    mood: Mood; level: Level; busy: Mood.Busy;
    list: string[]; readonlyList: readonly number[]; lists: string[][];
    pair: [string, number]; optionalPair: [string, number?]; atLeastOne: [string, ...number[]];
    record: Record<string, number>; byKind: Record<"a" | "b", boolean>; dictionary: { [key: string]: Date };
    anyRecord: Record<string, any>;
    date: Date; url: URL; bytes: Uint8Array; map: Map<string, string>; later: Promise<string>;
    money: Money; person: Person; branded: string & { __brand: "id" };
    box: Box<string>; otherBox: Box<number>; comment: Comment; json: Json; tree: Tree;
    anonymous: { inner: { deep: true } }; both: { a: string } & { b?: number };
    partial: Partial<{ a: string }>; picked: Pick<Comment, "text">;
    growing: Growing<string>;
    message: AIMessage; messages: BaseMessage[]; mixedMessages: (BaseMessage | string)[] | string;
    overwrite: OverwriteValue<string[]> | string[];
  }
  export interface Properties {
    optional?: string; undefinable: string | undefined; neither: undefined;
    nullableToo?: string | null;
    /** What it is for. */
    described: number;
    /** With a type. */
    reference: Comment;
    method(): void; callback: () => void; [Symbol.iterator]: string;
  }
  export type Nothing = any;
  export type Messages = BaseMessage[];
  export type Recursive = { again?: Recursive };
`;

let directory: string;
let context: { program: TS.Program; checker: TS.TypeChecker };
let exported: Map<string, TS.Type>;
let cases: Map<string, TS.Type>;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "spool-types-"));
  const file = join(directory, "types.ts");
  await writeFile(file, SOURCE);
  const { program } = openProgram(file, new Map());
  const checker = program.getTypeChecker();
  context = { program, checker };
  const source = program.getSourceFile(file);
  const module = source && checker.getSymbolAtLocation(source);
  if (module === undefined) throw new Error("the file was not read");
  exported = new Map(
    checker
      .getExportsOfModule(module)
      .map((symbol) => [symbol.name, checker.getDeclaredTypeOfSymbol(symbol)]),
  );
  const all = exported.get("Cases") as TS.Type;
  cases = new Map(
    all
      .getProperties()
      .map((symbol) => [symbol.name, checker.getTypeOfSymbol(symbol)]),
  );
}, 60_000);

afterAll(() => rm(directory, { recursive: true, force: true }));

function schemaOf(type: TS.Type | undefined) {
  if (type === undefined) throw new Error("there is no such type");
  return typeToJsonSchema(context, type);
}

/** As a property of something else: the way named types become references. */
function definitionsIn(name: string) {
  const whole = schemaOf(exported.get("Cases"));
  const properties = whole?.["properties"] as Record<string, unknown>;
  const definitions = whole?.["definitions"] as Record<string, unknown>;
  return { schema: properties[name], definitions };
}

describe("what a type becomes", () => {
  const date = { type: "string", format: "date-time" };
  const expected: Record<string, unknown> = {
    string: { type: "string" },
    number: { type: "number" },
    boolean: { type: "boolean" },
    null: { type: "null" },
    bigint: { type: "integer" },
    literal: { type: "string", const: "a" },
    truth: { type: "boolean", const: true },
    template: { type: "string" },
    anything: {},
    unknown: {},
    object: { type: "object" },
    literals: { type: ["string", "number"], enum: ["a", "b", 3] },
    nullable: { type: ["string", "null"] },
    maybeFlag: { type: ["boolean", "null"] },
    literalOrNull: { type: ["string", "null"], enum: ["a", "b", null] },
    mixed: { type: ["string", "number"] },
    choice: {
      anyOf: [
        {
          type: "object",
          properties: { a: { type: "string" } },
          required: ["a"],
        },
        {
          type: "object",
          properties: { b: { type: "number" } },
          required: ["b"],
        },
      ],
    },
    open: {
      anyOf: [
        {
          type: "object",
          properties: { size: { type: "number" } },
          required: ["size"],
        },
        { type: "string", const: "small" },
      ],
    },
    mood: { type: "string", enum: ["calm", "busy"] },
    level: { type: "number", enum: [0, 1] },
    busy: { type: "string", const: "busy" },
    list: { type: "array", items: { type: "string" } },
    readonlyList: { type: "array", items: { type: "number" } },
    lists: {
      type: "array",
      items: { type: "array", items: { type: "string" } },
    },
    pair: {
      type: "array",
      items: [{ type: "string" }, { type: "number" }],
      minItems: 2,
      maxItems: 2,
    },
    optionalPair: {
      type: "array",
      items: [{ type: "string" }, { type: "number" }],
      minItems: 1,
      maxItems: 2,
    },
    atLeastOne: {
      type: "array",
      items: [{ type: "string" }],
      minItems: 1,
      additionalItems: { type: "number" },
    },
    record: { type: "object", additionalProperties: { type: "number" } },
    byKind: {
      type: "object",
      properties: { a: { type: "boolean" }, b: { type: "boolean" } },
      required: ["a", "b"],
    },
    dictionary: { type: "object", additionalProperties: date },
    anyRecord: { type: "object" },
    date,
    url: { type: "string", format: "uri" },
    bytes: {},
    map: {},
    later: { type: "string" },
    branded: { type: "string" },
    anonymous: {
      type: "object",
      properties: {
        inner: {
          type: "object",
          properties: { deep: { type: "boolean", const: true } },
          required: ["deep"],
        },
      },
      required: ["inner"],
    },
    both: {
      type: "object",
      properties: { a: { type: "string" }, b: { type: "number" } },
      required: ["a"],
    },
    partial: { type: "object", properties: { a: { type: "string" } } },
    picked: {
      type: "object",
      properties: { text: { type: "string" } },
      required: ["text"],
    },
    overwrite: { type: "array", items: { type: "string" } },
  };

  test.each(Object.keys(expected))("%s", (name) => {
    expect(definitionsIn(name).schema).toEqual(expected[name]);
  });
});

describe("types with a name", () => {
  test("become definitions, one for each of their forms", () => {
    const { definitions } = definitionsIn("box");
    expect(definitionsIn("box").schema).toEqual({
      $ref: "#/definitions/Box_string",
    });
    expect(definitions["Box_string"]).toMatchObject({
      properties: { content: { type: "string" } },
    });
    expect(definitions["Box_number"]).toMatchObject({
      properties: { content: { type: "number" } },
    });
  });

  test("may hold themselves", () => {
    const { definitions } = definitionsIn("comment");
    expect(definitions["Comment"]).toEqual({
      type: "object",
      properties: {
        text: { type: "string" },
        answers: { type: "array", items: { $ref: "#/definitions/Comment" } },
      },
      required: ["text", "answers"],
    });
    expect(definitions["Json"]).toEqual({
      anyOf: [
        { type: ["string", "number", "boolean", "null"] },
        { type: "array", items: { $ref: "#/definitions/Json" } },
        {
          type: "object",
          additionalProperties: { $ref: "#/definitions/Json" },
        },
      ],
    });
    expect(definitions["Tree"]).toEqual({
      type: "array",
      items: { $ref: "#/definitions/Tree" },
    });
  });

  test("a class is what JSON shows of it", () => {
    const { definitions } = definitionsIn("person");
    expect(definitions["Person"]).toEqual({
      type: "object",
      properties: { name: { type: "string" }, age: { type: "number" } },
      required: ["name", "age"],
    });
    expect(definitions["Money"]).toEqual({ type: "string" });
  });

  test("a type that grows without end ends in anything", () => {
    const text = JSON.stringify(schemaOf(cases.get("growing")));
    expect(text.length).toBeLessThan(20_000);
  });

  test("a document may refer to its own top by name", () => {
    const schema = schemaOf(exported.get("Recursive"));
    expect(schema).toMatchObject({
      properties: { again: { $ref: "#/definitions/Recursive" } },
      definitions: { Recursive: { type: "object" } },
    });
  });

  test("every reference leads to a definition", () => {
    const schema = schemaOf(exported.get("Cases"));
    const names = [
      ...JSON.stringify(schema).matchAll(/#\/definitions\/([^"]+)/g),
    ].map(([, name]) => name);
    expect(names.length).toBeGreaterThan(5);
    expect(Object.keys(schema?.["definitions"] ?? {})).toEqual(
      expect.arrayContaining(names),
    );
  });
});

describe("messages", () => {
  const list = {
    type: "array",
    items: { $ref: "#/definitions/BaseMessage" },
    langgraph_type: "messages",
  };

  test("a list of them is marked, a single one is not", () => {
    expect(definitionsIn("messages").schema).toEqual(list);
    expect(definitionsIn("mixedMessages").schema).toEqual(list);
    expect(definitionsIn("message").schema).toEqual(list.items);
  });

  test("their class stays out of the schema", () => {
    expect(JSON.stringify(schemaOf(exported.get("Messages")))).not.toContain(
      "lc_namespace",
    );
    expect(schemaOf(exported.get("Messages"))).toMatchObject({
      $schema: "http://json-schema.org/draft-07/schema#",
      ...list,
      definitions: { BaseMessage: { required: ["content"] } },
    });
  });
});

test("properties that JSON cannot carry are left out, and what may be missing is not required", () => {
  const schema = schemaOf(exported.get("Properties"));
  expect(schema).toMatchObject({ required: ["described", "reference"] });
  expect(schema?.["properties"]).toEqual({
    optional: { type: "string" },
    undefinable: { type: "string" },
    nullableToo: { type: ["string", "null"] },
    described: { type: "number", description: "What it is for." },
    reference: {
      allOf: [{ $ref: "#/definitions/Comment" }],
      description: "With a type.",
    },
  });
});

test("a type that says nothing has no schema", () => {
  expect(schemaOf(exported.get("Nothing"))).toBeNull();
});
