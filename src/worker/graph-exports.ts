import type { CompiledGraph as LangGraph } from "@langchain/langgraph";
import type { Json, JsonObject } from "../lib/json.ts";

/*
 * The forms in which a file may export a graph: compiled, uncompiled builder,
 * an object that holds a compiled one in `.graph` (createAgent), a promise of
 * any of these, or a function that makes one. Judged by shape: the user's
 * copy of LangGraph need not be ours.
 */

export type CompiledGraph = LangGraph<string>;

/** Why a graph is wanted; factories are told. */
export type AccessContext =
  "threads.create_run" | "threads.update" | "threads.read" | "assistants.read";

export type GraphFactory = (
  config: { configurable: JsonObject },
  options: {
    accessContext: AccessContext;
    executionRuntime: { context: Json } | null;
  },
) => unknown;

export const isFactory = (value: unknown): value is GraphFactory =>
  typeof value === "function" && !isCompiled(value) && !isBuilder(value);

/** The value behind `path:name`, promises resolved. Throws when there is none. */
export async function exportedValue(
  module: Record<string, unknown>,
  name: string,
  file: string,
): Promise<unknown> {
  const names = exportsOf(module);
  if (!names.has(name)) throw missingExport(name, file, [...names.keys()]);
  const value = await names.get(name);
  if (value === undefined || value === null) throw nullish();
  return value;
}

/** Turns whatever a file exports, or a factory returns, into a compiled graph. */
export async function graphOf(exported: unknown): Promise<CompiledGraph> {
  const value = await exported;
  if (value === undefined || value === null) throw nullish();
  if (isCompiled(value)) return value;
  if (isBuilder(value)) return graphOf(value.compile());
  if (isWrapper(value)) return value.graph;
  throw new Error(
    `Failed to load graph: it is ${describe(value)}, not a graph; export a compiled graph, a builder, or a function that returns one`,
  );
}

/**
 * A CommonJS module shows its exports under `default`, and Node finds by name
 * only those that a scan of the source can see.
 */
export function exportsOf(
  module: Record<string, unknown>,
): Map<string, unknown> {
  const names = new Map(Object.entries(module));
  names.delete("module.exports"); // what Node ≥ 23 adds to every CommonJS module
  const inner = module["default"];
  if (!isPlainObject(inner)) return names;
  for (const [name, value] of Object.entries(inner)) {
    const isCompiledFromEsm = name === "default" && "__esModule" in inner;
    if (!names.has(name) || isCompiledFromEsm) names.set(name, value);
  }
  return names;
}

function isPlainObject(value: unknown): value is object {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function isCompiled(value: unknown): value is CompiledGraph {
  const { lg_is_pregel } = (value ?? {}) as { lg_is_pregel?: unknown };
  return lg_is_pregel === true;
}

function isBuilder(value: unknown): value is { compile(): unknown } {
  const { compile } = (value ?? {}) as { compile?: unknown };
  return typeof compile === "function";
}

function isWrapper(value: unknown): value is { graph: CompiledGraph } {
  return (
    typeof value === "object" &&
    value !== null &&
    "graph" in value &&
    isCompiled(value.graph)
  );
}

// The text is that of every LangGraph server; people search for it.
const nullish = (hint = "") =>
  new Error(`Failed to load graph: graph is nullush${hint}`);

function missingExport(name: string, file: string, names: string[]): Error {
  const found = names.length === 0 ? "nothing" : names.join(", ");
  return nullish(` (${file} has no export "${name}"; it exports ${found})`);
}

function describe(value: unknown): string {
  if (typeof value !== "object" || value === null) return `a ${typeof value}`;
  if (Array.isArray(value)) return "a list";
  const { name } = value.constructor ?? { name: "Object" };
  return name === "Object" ? "a plain object" : `an instance of ${name}`;
}
