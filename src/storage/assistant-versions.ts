import type { AssistantVersionSearch } from "../model/assistant-requests.ts";
import type { Assistant } from "../model/assistant.ts";
import { first, type Queryable } from "./database.ts";
import { and, raw, sql } from "./sql.ts";

/** What an assistant was at some time. Versions are only ever added. */
export type AssistantVersion = Omit<Assistant, "updated_at">;

const COLUMNS = raw(
  "assistant_id, version, graph_id, config, context, metadata, name, description, created_at",
);

/** The newest number that was given out, whichever version is active; 0 for an unknown assistant. */
export async function newestVersion(
  tx: Queryable,
  assistantId: string,
): Promise<number> {
  const row = await first<{ newest: number | null }>(
    tx,
    sql`select max(version) as newest from assistant_versions where assistant_id = ${assistantId}`,
  );
  return row?.newest ?? 0;
}

/** Newest first. */
export async function listVersions(
  db: Queryable,
  assistantId: string,
  { metadata, limit, offset }: AssistantVersionSearch,
): Promise<AssistantVersion[]> {
  const conditions = [sql`assistant_id = ${assistantId}`];
  if (metadata !== undefined)
    conditions.push(db.dialect.jsonContains(raw("metadata"), metadata));
  return db.query<AssistantVersion>(sql`
    select ${COLUMNS} from assistant_versions
    where ${and(conditions)}
    order by version desc limit ${limit} offset ${offset}`);
}

/** Keeps what the assistant is now as its version. */
export async function recordVersion(
  tx: Queryable,
  assistantId: string,
): Promise<void> {
  await tx.query(sql`
    insert into assistant_versions (${COLUMNS})
    select assistant_id, version, graph_id, config, context, metadata, name, description, updated_at
    from assistants where assistant_id = ${assistantId}`);
}

/** Makes the assistant what it was at that version; null when there is no such version. */
export async function activateVersion(
  tx: Queryable,
  assistantId: string,
  version: number,
): Promise<{ assistant_id: string } | null> {
  return first(
    tx,
    sql`
      update assistants set
        version = chosen.version, graph_id = chosen.graph_id, name = chosen.name,
        description = chosen.description, config = chosen.config,
        context = chosen.context, metadata = chosen.metadata, updated_at = ${tx.dialect.now}
      from assistant_versions chosen
      where assistants.assistant_id = ${assistantId}
        and chosen.assistant_id = assistants.assistant_id and chosen.version = ${version}
      returning assistants.assistant_id as assistant_id`,
  );
}
