import type { JsonObject } from "../lib/json.ts";
import { systemAssistantId } from "../model/assistant.ts";
import {
  deleteAssistants,
  listSystemAssistants,
  upsertAssistant,
  upsertFirstVersion,
} from "../storage/assistants.ts";
import type { Queryable } from "../storage/database.ts";
import type { ServiceDeps } from "./deps.ts";

export interface RegisteredGraph {
  graph_id: string;
  description: string | null;
}

/**
 * Gives every graph of langgraph.json its assistant, and takes away those of
 * graphs that are gone. Assistants that users made stay, whatever their graph.
 * `defaults` is `LANGGRAPH_CONFIG`: graph id -> config, with `context` among its keys.
 */
export async function registerGraphs(
  { database }: Pick<ServiceDeps, "database">,
  graphs: readonly RegisteredGraph[],
  defaults: Record<string, JsonObject>,
): Promise<void> {
  await database.transaction(async (tx) => {
    for (const graph of graphs) await register(tx, graph, defaults);
    await deleteAssistants(tx, await vanished(tx, graphs));
  });
}

async function register(
  tx: Queryable,
  { graph_id, description }: RegisteredGraph,
  defaults: Record<string, JsonObject>,
): Promise<void> {
  const own = Object.hasOwn(defaults, graph_id) ? defaults[graph_id] : {};
  const { context = {}, ...config } = own ?? {};
  const id = systemAssistantId(graph_id);
  await upsertAssistant(tx, id, {
    graph_id,
    name: graph_id,
    description,
    config,
    context,
    metadata: { created_by: "system" },
  });
  await upsertFirstVersion(tx, id);
}

/** Metadata alone is no proof: a user may write `created_by` too. */
async function vanished(
  tx: Queryable,
  graphs: readonly RegisteredGraph[],
): Promise<string[]> {
  const present = new Set(graphs.map(({ graph_id }) => graph_id));
  const rows = await listSystemAssistants(tx);
  return rows
    .filter(
      ({ assistant_id, graph_id }) =>
        assistant_id === systemAssistantId(graph_id) && !present.has(graph_id),
    )
    .map(({ assistant_id }) => assistant_id);
}
