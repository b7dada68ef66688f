/*
 * Schemas that a graph carries at run time: its state was declared with zod,
 * StateSchema or another standard schema. They say more than the types do
 * (descriptions, limits, defaults) and cost no compiler.
 */
import { toJsonSchema } from "@langchain/core/utils/json_schema";
import { isObject, type JsonObject } from "../../lib/json.ts";
import type { Schemas } from "./extract-schemas.ts";
import {
  MESSAGE_DEFINITION,
  MESSAGE_SCHEMA,
  MESSAGES_SCHEMA,
} from "./message-schema.ts";
import { rewriteRefs, toDraft07 } from "./json-schema-draft.ts";

/** How langgraph hides the extras of a channel in its zod description. */
const EXTRAS_PREFIX = "lg:";

/** What differs between what a graph holds and what it takes. */
const STATE = { withJsonSchemaExtrasAsDescription: true };
const INPUT = { ...STATE, withReducerSchema: true, asPartial: true };

/** The builder's own record of how it was declared; members are absent for Annotation. */
interface Builder {
  _metaRegistry: {
    getExtendedChannelSchemas(schema: unknown, effects: object): unknown;
  };
  _schemaRuntimeDefinition?: unknown;
  _inputRuntimeDefinition?: unknown;
  _outputRuntimeDefinition?: unknown;
  _configRuntimeSchema?: unknown;
}

/** StateSchema of langgraph, whichever copy of it the project has. */
interface StateSchemaLike {
  fields: Record<string, unknown>;
  getJsonSchema(): unknown;
  getInputJsonSchema(): unknown;
}

/** Null where the graph does not say at run time. */
export function runtimeSchemas(graph: unknown): Schemas {
  const builder = builderOf(graph);
  if (builder === null)
    return { state: null, input: null, output: null, config: null };
  const state = builder._schemaRuntimeDefinition;
  const input = builder._inputRuntimeDefinition;
  return {
    state: schemaOf(builder, state, STATE),
    // A symbol stands for "whatever part of the state".
    input: schemaOf(builder, typeof input === "symbol" ? state : input, INPUT),
    output: schemaOf(builder, builder._outputRuntimeDefinition, STATE),
    config: schemaOf(builder, builder._configRuntimeSchema, STATE),
  };
}

function builderOf(graph: unknown): Builder | null {
  if (!isObject(graph) || !isObject(graph["builder"])) return null;
  return "_metaRegistry" in graph["builder"]
    ? (graph["builder"] as unknown as Builder)
    : null;
}

function schemaOf(
  builder: Builder,
  definition: unknown,
  effects: object,
): JsonObject | null {
  if (definition === undefined || definition === null) return null;
  try {
    const schema = isStateSchema(definition)
      ? fromStateSchema(definition, effects === INPUT)
      : fromZod(builder, definition, effects);
    return toDraft07(withMessages(schema));
  } catch {
    return null; // a schema that JSON cannot say: the types may do better
  }
}

const isStateSchema = (value: unknown): value is StateSchemaLike =>
  isObject(value) &&
  (value as Record<symbol, unknown>)[
    Symbol.for("langgraph.state.state_schema")
  ] === true;

function fromStateSchema(
  schema: StateSchemaLike,
  asInput: boolean,
): JsonObject {
  const made = asInput ? schema.getInputJsonSchema() : schema.getJsonSchema();
  const { properties = {}, ...rest } = plain(made);
  const all: JsonObject = {};
  for (const name of Object.keys(schema.fields)) {
    // What has no JSON Schema of its own (`z.date()`) is still a channel.
    const field = (properties as JsonObject)[name] ?? {};
    // Each field is a document of its own, whose references start at its own top.
    all[name] = rewriteRefs(field, (ref) =>
      ref.replace("#", `#/properties/${pointer(name)}`),
    );
  }
  return { ...rest, properties: all };
}

function fromZod(
  builder: Builder,
  definition: unknown,
  effects: object,
): JsonObject {
  const extended = builder._metaRegistry.getExtendedChannelSchemas(
    definition,
    effects,
  );
  const schema = toJsonSchema(extended as Parameters<typeof toJsonSchema>[0], {
    target: "draft-7",
    unrepresentable: "any",
  });
  return restoreExtras(plain(schema)) as JsonObject;
}

/** Without `undefined` and shared parts, so that it can be changed and sent. */
const plain = (schema: unknown): JsonObject =>
  JSON.parse(JSON.stringify(schema)) as JsonObject;

function restoreExtras(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(restoreExtras);
  if (!isObject(value)) return value;
  const { description, ...rest } = value;
  const restored = Object.fromEntries(
    Object.entries(rest).map(([key, part]) => [key, restoreExtras(part)]),
  );
  if (description === undefined) return restored;
  if (typeof description !== "string" || !description.startsWith(EXTRAS_PREFIX))
    return { ...restored, description: restoreExtras(description) };
  const extras = JSON.parse(description.slice(EXTRAS_PREFIX.length)) as object;
  return { ...restored, ...extras };
}

/** Message channels are declared as custom types: they say `langgraph_type` and no more. */
function withMessages(schema: JsonObject): JsonObject {
  const properties = { ...(schema["properties"] as JsonObject | undefined) };
  let found = false;
  for (const [name, field] of Object.entries(properties)) {
    if (!isObject(field) || field["langgraph_type"] !== "messages") continue;
    found = true;
    properties[name] = { ...MESSAGES_SCHEMA, ...(field as JsonObject) };
  }
  if (!found) return schema;
  const definitions = {
    ...(schema["definitions"] as JsonObject | undefined),
    [MESSAGE_DEFINITION]: MESSAGE_SCHEMA,
  };
  return { ...schema, properties, definitions };
}

/** A name as a step of a JSON pointer in a URI fragment. */
const pointer = (name: string): string =>
  encodeURIComponent(name.replaceAll("~", "~0").replaceAll("/", "~1"));
