import type { Caller } from "../auth/caller.ts";
import { isObject, type Json, type JsonObject } from "../lib/json.ts";
import { isUuid } from "../lib/uuid.ts";
import { UNRESTRICTED, type AccessFilter } from "../model/access.ts";
import type {
  AssistantCount,
  AssistantSearch,
} from "../model/assistant-requests.ts";
import { systemAssistantId, type Assistant } from "../model/assistant.ts";
import { notFound } from "../model/errors.ts";
import { pageOf, type Page } from "../model/page.ts";
import type { GraphSchemas } from "../protocol/graph-frames.ts";
import {
  countAssistants,
  getAssistant,
  searchAssistants,
} from "../storage/assistants.ts";
import type { Database } from "../storage/database.ts";
import type { ServiceDeps } from "./deps.ts";

type Deps = Pick<ServiceDeps, "database">;
type GraphDeps = Pick<ServiceDeps, "database" | "workers">;

/**
 * The assistant to run, by its id or by the id of its graph. Everybody may run
 * the assistants that the server made, whatever else is hidden from them.
 * Throws `not_found` with the text that clients look for, and when the graph
 * of the assistant is in langgraph.json no more.
 */
export async function requireAssistant(
  { database, workers }: GraphDeps,
  { access }: Caller,
  idOrGraphId: string,
): Promise<Assistant> {
  const assistant =
    (await find(database, idOrGraphId, access)) ??
    (access === null ? null : await findSystem(database, idOrGraphId));
  if (assistant !== null) {
    if (hasGraph(workers, assistant.graph_id)) return assistant;
    throw notFound(
      `Graph "${assistant.graph_id}" not found: langgraph.json does not have it any more, so its assistant "${assistant.name}" cannot be run`,
    );
  }
  throw notFound(
    `No assistant found for "${idOrGraphId}". Make sure the assistant ID is for a valid assistant or a valid graph ID.`,
  );
}

export const hasGraph = (
  workers: Pick<GraphDeps["workers"], "graphs">,
  graphId: string,
): boolean => workers.graphs().some(({ graph_id }) => graph_id === graphId);

/** The assistant to show, by its id or by the id of its graph. */
export async function readAssistant(
  { database }: Deps,
  { access }: Caller,
  idOrGraphId: string,
): Promise<Assistant> {
  const assistant = await find(database, idOrGraphId, access);
  if (assistant === null) throw notFound("Assistant not found");
  return assistant;
}

/** A graph's name goes before an id, should somebody have named a graph like one. */
async function find(
  database: Database,
  idOrGraphId: string,
  access: AccessFilter,
): Promise<Assistant | null> {
  const byGraph = await getAssistant(
    database,
    systemAssistantId(idOrGraphId),
    access,
  );
  if (byGraph !== null || !isUuid(idOrGraphId)) return byGraph;
  return getAssistant(database, idOrGraphId.toLowerCase(), access);
}

async function findSystem(
  database: Database,
  idOrGraphId: string,
): Promise<Assistant | null> {
  const assistant = await find(database, idOrGraphId, UNRESTRICTED);
  return assistant?.assistant_id ===
    systemAssistantId(assistant?.graph_id ?? "")
    ? assistant
    : null;
}

export async function listAssistants(
  { database }: Deps,
  { access }: Caller,
  search: AssistantSearch,
): Promise<Page<Assistant>> {
  const [rows, total] = await Promise.all([
    searchAssistants(database, search, access),
    countAssistants(database, search, access),
  ]);
  return pageOf(rows, { offset: search.offset, total });
}

export async function countMatching(
  { database }: Deps,
  { access }: Caller,
  filters: AssistantCount,
): Promise<number> {
  return countAssistants(database, filters, access);
}

/** `{nodes, edges}`; `xray` is how deep subgraphs are opened, true for all the way. */
export async function drawGraph(
  deps: GraphDeps,
  caller: Caller,
  params: { assistant_id: string; xray: boolean | number },
): Promise<Json> {
  const assistant = await readAssistant(deps, caller, params.assistant_id);
  return deps.workers.ask("graph.draw", {
    ...graphOf(assistant),
    xray: params.xray,
  });
}

export async function graphSchemas(
  deps: GraphDeps,
  caller: Caller,
  assistantId: string,
): Promise<GraphSchemas> {
  const assistant = await readAssistant(deps, caller, assistantId);
  return deps.workers.ask("graph.schemas", graphOf(assistant));
}

/** Namespace -> schemas: the direct children, or with `recurse` all below. */
export async function subgraphSchemas(
  deps: GraphDeps,
  caller: Caller,
  params: { assistant_id: string; namespace?: string; recurse: boolean },
): Promise<Record<string, JsonObject>> {
  const { assistant_id, ...question } = params;
  const assistant = await readAssistant(deps, caller, assistant_id);
  return deps.workers.ask("graph.subgraphs", {
    ...graphOf(assistant),
    ...question,
  });
}

/** The graph, as a factory builds it for this assistant. */
function graphOf({ graph_id, config }: Assistant): {
  graph_id: string;
  configurable: JsonObject;
} {
  const { configurable } = config;
  return {
    graph_id,
    configurable: isObject(configurable) ? (configurable as JsonObject) : {},
  };
}
