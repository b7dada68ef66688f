import type { Json, JsonObject } from "../lib/json.ts";
import type { GraphRequests, GraphSchemas } from "../protocol/graph-frames.ts";
import type { RequestServer } from "../protocol/peer.ts";
import type { WorkerContext } from "./context.ts";
import type { CompiledGraph } from "./graph-exports.ts";
import { buildGraph, type Project } from "./load-graphs.ts";
import type { Schemas } from "./schemas/extract-schemas.ts";
import { runtimeSchemas } from "./schemas/runtime-schemas.ts";
import { SchemaCompiler } from "./schemas/schema-compiler.ts";
import {
  StaticSchemas,
  type SchemasByNamespace,
} from "./schemas/static-schemas.ts";

/** For the compiler to read the source of one graph. */
const DEFAULT_TIMEOUT_MS = 30_000;

const NO_SCHEMAS: Schemas = {
  state: null,
  input: null,
  output: null,
  config: null,
};

/** What a worker answers about its graphs, apart from running them. */
export function graphRequests(
  { project }: Pick<WorkerContext, "project">,
  statics: StaticSchemas = staticSchemasFrom(process.env),
): RequestServer<Omit<GraphRequests, "project.load">> {
  return {
    "graph.draw": (params) => draw(project, params),
    "graph.subgraphs": (params) => subgraphs(project, statics, params),
    "graph.schemas": (params) => schemas(project, statics, params),
  };
}

/** `SPOOL_CACHE_DIR`: where extracted schemas are kept from one start to the next; absent: nowhere. */
export function staticSchemasFrom(
  env: Record<string, string | undefined>,
): StaticSchemas {
  const timeout = Number(env["LANGGRAPH_SCHEMA_RESOLVE_TIMEOUT_MS"]);
  return new StaticSchemas({
    cacheDirectory: env["SPOOL_CACHE_DIR"] || null,
    compiler: new SchemaCompiler({
      timeoutMs: timeout > 0 ? timeout : DEFAULT_TIMEOUT_MS,
    }),
  });
}

type Params<K extends keyof GraphRequests> = GraphRequests[K]["params"];

async function draw(
  project: Project,
  { graph_id, configurable, xray }: Params<"graph.draw">,
): Promise<Json> {
  const graph = await build(project, graph_id, configurable);
  const drawable = await graph.getGraphAsync({ configurable, xray });
  // Node data may hold what only JSON.stringify knows how to say.
  return JSON.parse(JSON.stringify(drawable.toJSON())) as Json;
}

async function schemas(
  project: Project,
  statics: StaticSchemas,
  { graph_id, configurable }: Params<"graph.schemas">,
): Promise<GraphSchemas> {
  const own = await ownSchemas(project, graph_id, configurable);
  const known = await sourceSchemas(project, statics, graph_id, [own]);
  return { graph_id, ...fullNames(merge(own, known[""])) };
}

/** A factory may want what only a run gives it, a user or a key; its source has the types all the same. */
async function ownSchemas(
  project: Project,
  graphId: string,
  configurable: JsonObject,
): Promise<Schemas> {
  try {
    return runtimeSchemas(await build(project, graphId, configurable));
  } catch (cause) {
    const entry = project.graphs.get(graphId);
    if (entry === undefined || "failure" in entry) throw cause;
    return NO_SCHEMAS;
  }
}

async function subgraphs(
  project: Project,
  statics: StaticSchemas,
  params: Params<"graph.subgraphs">,
): Promise<Record<string, JsonObject>> {
  const { graph_id, configurable, namespace, recurse } = params;
  const graph = await build(project, graph_id, configurable);
  const found: [string, Schemas][] = [];
  // LangGraph looks for a nested namespace only when it may recurse; it yields that one alone.
  const deep = recurse || namespace !== undefined;
  for await (const [name, child] of graph.getSubgraphsAsync(namespace, deep))
    found.push([name, runtimeSchemas(child)]);
  const known = await sourceSchemas(
    project,
    statics,
    graph_id,
    found.map(([, own]) => own),
  );
  return Object.fromEntries(
    found.map(([name, own]) => [name, bothNames(merge(own, known[name]))]),
  );
}

const build = (
  project: Project,
  graphId: string,
  configurable: JsonObject,
): Promise<CompiledGraph> =>
  buildGraph(project, graphId, {
    configurable,
    context: null,
    accessContext: "assistants.read",
  });

/** Asks the compiler only when something is missing; its failure matters only when nothing is known without it. */
async function sourceSchemas(
  project: Project,
  statics: StaticSchemas,
  graphId: string,
  own: Schemas[],
): Promise<SchemasByNamespace> {
  const entry = project.graphs.get(graphId);
  const isComplete = own.every((schemas) =>
    Object.values(schemas).every((schema) => schema !== null),
  );
  if (entry === undefined || isComplete) return {};
  try {
    return await statics.get(project.root, entry.spec);
  } catch (cause) {
    if (own.every(({ state }) => state !== null)) return {};
    throw new SchemaExtractionError(graphId, cause);
  }
}

class SchemaExtractionError extends Error {
  override readonly name = "SchemaExtractionError";
  readonly code = "unavailable";
  constructor(graphId: string, cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    super(`Failed to extract schema for "${graphId}": ${reason}`, { cause });
  }
}

function merge(own: Schemas, source: Schemas = NO_SCHEMAS): Schemas {
  return {
    state: own.state ?? source.state,
    input: own.input ?? source.input,
    output: own.output ?? source.output,
    config: own.config ?? source.config,
  };
}

/** A graph in JavaScript has one schema for what `config.configurable` and `context` may hold. */
const fullNames = ({ state, input, output, config }: Schemas) => ({
  state_schema: state,
  input_schema: input,
  output_schema: output,
  config_schema: config,
  context_schema: config,
});

/** Both spellings that clients of this endpoint know. */
const bothNames = (schemas: Schemas): JsonObject => ({
  ...schemas,
  ...fullNames(schemas),
});
