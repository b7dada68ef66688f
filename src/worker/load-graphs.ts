import { existsSync } from "node:fs";
import { relative, sep } from "node:path";
import { pathToFileURL } from "node:url";
import type { Json, JsonObject } from "../lib/json.ts";
import type { EmbeddingSpec } from "../protocol/embedding-frames.ts";
import type {
  GraphFailure,
  GraphRequests,
  GraphSpec,
} from "../protocol/graph-frames.ts";
import {
  exportedValue,
  graphOf,
  isFactory,
  type AccessContext,
  type CompiledGraph,
  type GraphFactory,
} from "./graph-exports.ts";
import { describeFailure } from "./graph-failure.ts";
import { watchNodes } from "./node-calls.ts";
import { registerSourceLoaders } from "./source-loaders.ts";

/** A graph of langgraph.json after the attempt to load it. */
export type GraphEntry =
  | { spec: GraphSpec; graph: CompiledGraph | GraphFactory }
  | { spec: GraphSpec; failure: GraphFailure };

/** The user's project as this process has it. */
export interface Project {
  /** Absolute path of the directory of langgraph.json. */
  root: string;
  graphs: Map<string, GraphEntry>;
  /** Null: nothing is embedded. */
  embedding: EmbeddingSpec | null;
}

export interface GraphUse {
  configurable: JsonObject;
  context: Json;
  accessContext: AccessContext;
}

/** Told as soon as each graph is known to work, or not to. */
export interface LoadListener {
  loaded(graphId: string, milliseconds: number): void;
  failed(graphId: string, failure: GraphFailure): void;
}

export const emptyProject = (): Project => ({
  root: "",
  graphs: new Map(),
  embedding: null,
});

/** Fills `project`. A graph that fails takes no other one with it. Never rejects because of user code. */
export async function loadProject(
  project: Project,
  source: GraphRequests["project.load"]["params"],
  listener: LoadListener,
): Promise<void> {
  await registerSourceLoaders();
  project.root = source.root;
  project.embedding = source.embedding ?? null;
  project.graphs.clear();
  const entries = await Promise.all(
    source.graphs.map((spec) => loadEntry(spec, source.root, listener)),
  );
  for (const entry of entries) project.graphs.set(entry.spec.graph_id, entry);
}

async function loadEntry(
  spec: GraphSpec,
  root: string,
  listener: LoadListener,
): Promise<GraphEntry> {
  const started = performance.now();
  try {
    const graph = await loadGraph(spec, root);
    listener.loaded(spec.graph_id, Math.round(performance.now() - started));
    return { spec, graph };
  } catch (cause) {
    const failure = await describeFailure(cause, { root, file: spec.file });
    listener.failed(spec.graph_id, failure);
    return { spec, failure };
  }
}

async function loadGraph(
  spec: GraphSpec,
  root: string,
): Promise<CompiledGraph | GraphFactory> {
  const file = relative(root, spec.file).split(sep).join("/");
  if (!existsSync(spec.file))
    throw new GraphLoadError(
      `${file} does not exist; check "graphs" in langgraph.json`,
    );
  const module: Record<string, unknown> = await import(
    /* @vite-ignore */ pathToFileURL(spec.file).href
  );
  const value = await exportedValue(module, spec.export_name, file);
  if (isFactory(value)) return value;
  const graph = await graphOf(value);
  watchNodes(graph);
  return graph;
}

/** The graph as `use` needs it: factories are called, every time. */
export async function buildGraph(
  project: Project,
  graphId: string,
  use: GraphUse,
): Promise<CompiledGraph> {
  const entry = project.graphs.get(graphId);
  if (entry === undefined) throw new GraphNotFoundError(graphId);
  if ("failure" in entry) throw failedToLoad(graphId, entry.failure);
  if (!isFactory(entry.graph)) return entry.graph;
  const { configurable, context, accessContext } = use;
  const isExecution = accessContext === "threads.create_run";
  const graph = await graphOf(
    await entry.graph(
      { configurable },
      { accessContext, executionRuntime: isExecution ? { context } : null },
    ),
  );
  if (isExecution) watchNodes(graph);
  return graph;
}

class GraphNotFoundError extends Error {
  override readonly name = "GraphNotFoundError";
  readonly code = "not_found";
  constructor(graphId: string) {
    super(`Graph "${graphId}" not found`);
  }
}

class GraphLoadError extends Error {
  override readonly name = "GraphLoadError";
}

function failedToLoad(graphId: string, failure: GraphFailure): GraphLoadError {
  const { name, message, file, line } = failure;
  const place =
    file === null ? "" : ` (${file}${line === null ? "" : `:${line}`})`;
  return new GraphLoadError(
    `Graph "${graphId}" failed to load: ${name}: ${message}${place}`,
  );
}
