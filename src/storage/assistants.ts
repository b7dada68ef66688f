import type { AccessFilter } from "../model/access.ts";
import type {
  AssistantCount,
  AssistantSearch,
} from "../model/assistant-requests.ts";
import type { Assistant } from "../model/assistant.ts";
import { visible } from "./access.ts";
import { first, type Queryable } from "./database.ts";
import { and, json, raw, sql, type Sql } from "./sql.ts";

const COLUMNS = raw(
  "assistant_id, graph_id, config, context, metadata, version, name, description, created_at, updated_at",
);
const METADATA = raw("metadata");

export async function getAssistant(
  db: Queryable,
  assistantId: string,
  access: AccessFilter,
): Promise<Assistant | null> {
  return first<Assistant>(
    db,
    sql`
      select ${COLUMNS} from assistants
      where assistant_id = ${assistantId} and ${visible(db.dialect, METADATA, access)}`,
  );
}

/** The condition that an assistant still is what it was when it was read. Each change of it moves one of the two. */
export const isUnchanged = ({
  assistant_id,
  version,
  updated_at,
}: Pick<Assistant, "assistant_id" | "version" | "updated_at">): Sql => sql`
  exists (
    select 1 from assistants
    where assistant_id = ${assistant_id} and version = ${version} and updated_at = ${new Date(updated_at)})`;

/** Whether an assistant is what it was when it was read. */
export async function isStill(
  db: Queryable,
  assistant: Parameters<typeof isUnchanged>[0],
): Promise<boolean> {
  const row = await first(
    db,
    sql`select 1 as same where ${isUnchanged(assistant)}`,
  );
  return row !== null;
}

export async function searchAssistants(
  db: Queryable,
  search: AssistantSearch,
  access: AccessFilter,
): Promise<Assistant[]> {
  const order = raw(search.sort_order);
  return db.query<Assistant>(sql`
    select ${COLUMNS} from assistants
    where ${matching(db, search, access)}
    order by ${raw(search.sort_by)} ${order}, assistant_id ${order}
    limit ${search.limit} offset ${search.offset}`);
}

export async function countAssistants(
  db: Queryable,
  filters: AssistantCount,
  access: AccessFilter,
): Promise<number> {
  const row = await first<{ total: number }>(
    db,
    sql`select count(*) as total from assistants where ${matching(db, filters, access)}`,
  );
  return row?.total ?? 0;
}

function matching(
  { dialect }: Queryable,
  { metadata, graph_id, name }: AssistantCount,
  access: AccessFilter,
): Sql {
  const conditions = [visible(dialect, METADATA, access)];
  if (metadata !== undefined && Object.keys(metadata).length > 0)
    conditions.push(dialect.jsonContains(METADATA, metadata));
  if (graph_id !== undefined) conditions.push(sql`graph_id = ${graph_id}`);
  if (name !== undefined && name !== "")
    conditions.push(dialect.containsText(raw("name"), name));
  return and(conditions);
}

/** What an assistant is made of, apart from ids and times. */
export type AssistantContent = Pick<
  Assistant,
  "graph_id" | "name" | "description" | "config" | "context" | "metadata"
>;

/**
 * Inserts version 1, or brings it up to date when nobody has made another
 * version since. An assistant that stays as it is keeps its `updated_at`.
 */
export async function upsertAssistant(
  tx: Queryable,
  assistantId: string,
  content: AssistantContent,
): Promise<void> {
  const { now } = tx.dialect;
  await tx.query(sql`
    insert into assistants (
      assistant_id, graph_id, name, description, config, context, metadata, created_at, updated_at)
    values (
      ${assistantId}, ${content.graph_id}, ${content.name}, ${content.description},
      ${json(content.config)}, ${json(content.context)}, ${json(content.metadata)}, ${now}, ${now})
    on conflict (assistant_id) do update set
      name = excluded.name, description = excluded.description, config = excluded.config,
      context = excluded.context, updated_at = excluded.updated_at
    where assistants.version = 1 and (
      assistants.name <> excluded.name
      or assistants.description is distinct from excluded.description
      or assistants.config <> excluded.config
      or assistants.context <> excluded.context)`);
}

/** Inserts version 1; null when the id is taken, be it by an assistant that the caller may not see. */
export async function insertAssistant(
  tx: Queryable,
  assistantId: string,
  content: AssistantContent,
): Promise<Assistant | null> {
  const { now } = tx.dialect;
  return first<Assistant>(
    tx,
    sql`
      insert into assistants (
        assistant_id, graph_id, name, description, config, context, metadata, created_at, updated_at)
      values (
        ${assistantId}, ${content.graph_id}, ${content.name}, ${content.description},
        ${json(content.config)}, ${json(content.context)}, ${json(content.metadata)}, ${now}, ${now})
      on conflict (assistant_id) do nothing
      returning ${COLUMNS}`,
  );
}

/** As `getAssistant`; nobody else changes it until the transaction ends. */
export async function lockAssistant(
  tx: Queryable,
  assistantId: string,
  access: AccessFilter,
): Promise<Assistant | null> {
  return first<Assistant>(
    tx,
    sql`
      select ${COLUMNS} from assistants
      where assistant_id = ${assistantId} and ${visible(tx.dialect, METADATA, access)}
      ${tx.dialect.forUpdate}`,
  );
}

export async function updateAssistant(
  tx: Queryable,
  {
    assistant_id,
    version,
    ...content
  }: AssistantContent & Pick<Assistant, "assistant_id" | "version">,
): Promise<Assistant | null> {
  return first<Assistant>(
    tx,
    sql`
      update assistants set
        version = ${version}, graph_id = ${content.graph_id}, name = ${content.name},
        description = ${content.description}, config = ${json(content.config)},
        context = ${json(content.context)}, metadata = ${json(content.metadata)},
        updated_at = ${tx.dialect.now}
      where assistant_id = ${assistant_id}
      returning ${COLUMNS}`,
  );
}

/** Keeps version 1 as the history has it in step with `upsertAssistant`. */
export async function upsertFirstVersion(
  tx: Queryable,
  assistantId: string,
): Promise<void> {
  await tx.query(sql`
    insert into assistant_versions (
      assistant_id, version, graph_id, name, description, config, context, metadata, created_at)
    select assistant_id, version, graph_id, name, description, config, context, metadata, created_at
    from assistants where assistant_id = ${assistantId} and version = 1
    on conflict (assistant_id, version) do update set
      name = excluded.name, description = excluded.description,
      config = excluded.config, context = excluded.context`);
}

/** Ids and graphs of the assistants that say they were made by the server. */
export async function listSystemAssistants(
  tx: Queryable,
): Promise<Pick<Assistant, "assistant_id" | "graph_id">[]> {
  return tx.query(sql`
    select assistant_id, graph_id from assistants
    where ${tx.dialect.jsonContains(METADATA, { created_by: "system" })}`);
}

export async function deleteAssistants(
  tx: Queryable,
  assistantIds: readonly string[],
): Promise<void> {
  await tx.query(sql`
    delete from assistants
    where ${tx.dialect.isMember(raw("assistant_id"), assistantIds)}`);
}
