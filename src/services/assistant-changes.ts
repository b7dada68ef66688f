import type { Caller } from "../auth/caller.ts";
import { isObject, type Json, type JsonObject } from "../lib/json.ts";
import { uuid7 } from "../lib/uuid.ts";
import type {
  AssistantCreate,
  AssistantPatch,
  AssistantVersionSearch,
} from "../model/assistant-requests.ts";
import type { Assistant } from "../model/assistant.ts";
import { conflict, notFound } from "../model/errors.ts";
import {
  activateVersion,
  listVersions,
  newestVersion,
  recordVersion,
  type AssistantVersion,
} from "../storage/assistant-versions.ts";
import {
  getAssistant,
  insertAssistant,
  lockAssistant,
  updateAssistant,
} from "../storage/assistants.ts";
import type { Queryable } from "../storage/database.ts";
import { hasGraph, readAssistant } from "./assistants.ts";
import type { ServiceDeps } from "./deps.ts";

type Deps = Pick<ServiceDeps, "database" | "workers">;

/** Version 1 of a new assistant. Throws 404 for an unknown graph, 409 for an id that is taken. */
export async function createAssistant(
  deps: Deps,
  { access }: Caller,
  input: AssistantCreate,
): Promise<Assistant> {
  requireGraph(deps, input.graph_id);
  const configured = inStep(input, { config: {}, context: {} });
  const id = input.assistant_id ?? uuid7();
  return deps.database.transaction(async (tx) => {
    const created = await insertAssistant(tx, id, {
      graph_id: input.graph_id,
      name: input.name,
      description: input.description ?? null,
      ...configured,
      metadata: input.metadata,
    });
    if (created !== null) await recordVersion(tx, id);
    const existing =
      created === null && input.if_exists === "do_nothing"
        ? await getAssistant(tx, id, access)
        : null;
    const assistant = created ?? existing;
    // One that the caller may not see is a conflict as well: the id cannot be had.
    if (assistant === null) throw conflict("Assistant already exists");
    return assistant;
  });
}

/** A version more, even when nothing is different, which becomes the active one. */
export async function changeAssistant(
  deps: Deps,
  caller: Caller,
  { assistant_id, patch }: { assistant_id: string; patch: AssistantPatch },
): Promise<Assistant> {
  if (patch.graph_id !== undefined) requireGraph(deps, patch.graph_id);
  const found = await readAssistant(deps, caller, assistant_id);
  return deps.database.transaction(async (tx) => {
    const now = await locked(tx, caller, found.assistant_id);
    const changed = await updateAssistant(tx, {
      assistant_id: now.assistant_id,
      version: (await newestVersion(tx, now.assistant_id)) + 1,
      graph_id: patch.graph_id ?? now.graph_id,
      name: patch.name ?? now.name,
      description: patch.description ?? now.description,
      ...inStep(patch, now),
      metadata: { ...now.metadata, ...patch.metadata },
    });
    await recordVersion(tx, now.assistant_id);
    return changed ?? now;
  });
}

/** The assistant becomes again what it was at that version; the versions after it stay. */
export async function activateAssistantVersion(
  deps: Deps,
  caller: Caller,
  { assistant_id, version }: { assistant_id: string; version: number },
): Promise<Assistant> {
  const found = await readAssistant(deps, caller, assistant_id);
  return deps.database.transaction(async (tx) => {
    const { assistant_id: id } = await locked(tx, caller, found.assistant_id);
    if ((await activateVersion(tx, id, version)) === null)
      throw notFound("Assistant version not found");
    return locked(tx, caller, id);
  });
}

export async function listAssistantVersions(
  deps: Deps,
  caller: Caller,
  params: { assistant_id: string; search: AssistantVersionSearch },
): Promise<AssistantVersion[]> {
  const { assistant_id } = await readAssistant(
    deps,
    caller,
    params.assistant_id,
  );
  return listVersions(deps.database, assistant_id, params.search);
}

async function locked(
  tx: Queryable,
  { access }: Caller,
  id: string,
): Promise<Assistant> {
  const assistant = await lockAssistant(tx, id, access);
  if (assistant === null) throw notFound("Assistant not found");
  return assistant;
}

function requireGraph({ workers }: Deps, graphId: string): void {
  if (!hasGraph(workers, graphId))
    throw notFound(`Graph '${graphId}' not found`);
}

interface Configured {
  config?: JsonObject | undefined;
  context?: Json | undefined;
}

/**
 * `config.configurable` is the older name of `context`. Who gives only one of
 * them means both; who gives both is taken at their word. What is not given
 * stays as it is in `before`.
 */
function inStep(
  given: Configured,
  before: { config: JsonObject; context: Json },
): { config: JsonObject; context: Json } {
  const { config = before.config, context = before.context } = given;
  const configurable = given.config?.["configurable"];
  if (given.context === undefined)
    return { config, context: configurable ?? context };
  return configurable === undefined && isObject(context)
    ? { config: { ...config, configurable: context }, context }
    : { config, context };
}
