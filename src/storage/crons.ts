import type { JsonObject } from "../lib/json.ts";
import type { AccessFilter } from "../model/access.ts";
import type { CronCount, CronSearch } from "../model/cron-requests.ts";
import type { Cron } from "../model/cron.ts";
import { visible } from "./access.ts";
import { first, type Queryable } from "./database.ts";
import { and, json, raw, sql, type Sql } from "./sql.ts";

const COLUMNS = raw(
  `cron_id, assistant_id, thread_id, on_run_completed, schedule, timezone, end_time, enabled,
   next_run_date, user_id, metadata, headers, payload, created_at, updated_at`,
);
const METADATA = raw("metadata");

/** With what the API does not show. */
export interface StoredCron extends Cron {
  /** Of the request that made it, as far as graphs may see them. */
  headers: Readonly<Record<string, string>>;
}

/** What a cron is, apart from its id and times. */
export type CronContent = Omit<
  StoredCron,
  "cron_id" | "created_at" | "updated_at" | "end_time" | "next_run_date"
> & { end_time: Date | null; next_run_date: Date | null };

export async function insertCron(
  tx: Queryable,
  cronId: string,
  cron: CronContent,
): Promise<StoredCron> {
  const { now } = tx.dialect;
  const [row] = await tx.query<StoredCron>(sql`
    insert into crons (
      cron_id, assistant_id, thread_id, on_run_completed, schedule, timezone, end_time, enabled,
      next_run_date, user_id, metadata, headers, payload, created_at, updated_at)
    values (
      ${cronId}, ${cron.assistant_id}, ${cron.thread_id}, ${cron.on_run_completed},
      ${cron.schedule}, ${cron.timezone}, ${cron.end_time}, ${cron.enabled}, ${cron.next_run_date},
      ${cron.user_id}, ${json(cron.metadata)}, ${json(cron.headers)}, ${json(cron.payload)}, ${now}, ${now})
    returning ${COLUMNS}`);
  return row as StoredCron;
}

const oneCron = (db: Queryable, cronId: string, access: AccessFilter): Sql =>
  sql`cron_id = ${cronId} and ${visible(db.dialect, METADATA, access)}`;

/** Null when it is missing or hidden. */
export async function getCron(
  db: Queryable,
  cronId: string,
  access: AccessFilter,
): Promise<StoredCron | null> {
  return first(
    db,
    sql`select ${COLUMNS} from crons where ${oneCron(db, cronId, access)}`,
  );
}

/** As `getCron`; nobody else changes it until the transaction ends. */
export async function lockCron(
  tx: Queryable,
  cronId: string,
  access: AccessFilter,
): Promise<StoredCron | null> {
  return first(
    tx,
    sql`
      select ${COLUMNS} from crons where ${oneCron(tx, cronId, access)}
      ${tx.dialect.forUpdate}`,
  );
}

/** What a client may change. */
export interface CronChange {
  schedule: string;
  timezone: string | null;
  end_time: Date | null;
  enabled: boolean;
  next_run_date: Date | null;
  on_run_completed: Cron["on_run_completed"];
  metadata: JsonObject;
  payload: JsonObject;
}

export async function updateCron(
  tx: Queryable,
  cronId: string,
  change: CronChange,
): Promise<StoredCron> {
  const [row] = await tx.query<StoredCron>(sql`
    update crons
    set schedule = ${change.schedule}, timezone = ${change.timezone},
        end_time = ${change.end_time}, enabled = ${change.enabled},
        next_run_date = ${change.next_run_date}, on_run_completed = ${change.on_run_completed},
        metadata = ${json(change.metadata)}, payload = ${json(change.payload)},
        updated_at = ${tx.dialect.now}
    where cron_id = ${cronId}
    returning ${COLUMNS}`);
  return row as StoredCron;
}

/** Runs that it has created go on. False when it is missing or hidden. */
export async function deleteCron(
  tx: Queryable,
  cronId: string,
  access: AccessFilter,
): Promise<boolean> {
  const row = await first(
    tx,
    sql`delete from crons where ${oneCron(tx, cronId, access)} returning cron_id`,
  );
  return row !== null;
}

/** Which crons are asked for; several ids of assistants are alternatives. */
export type CronFilter = Omit<CronCount, "assistant_id"> &
  Partial<Pick<CronSearch, "enabled">> & {
    assistant_ids: readonly string[] | null;
  };

/** Crons that have nothing in the column that is sorted by come last, in either direction. */
export async function searchCrons(
  db: Queryable,
  params: CronFilter &
    Pick<CronSearch, "limit" | "offset" | "sort_by" | "sort_order">,
  access: AccessFilter,
): Promise<StoredCron[]> {
  const order = raw(params.sort_order);
  return db.query<StoredCron>(sql`
    select ${COLUMNS} from crons
    where ${matching(db, params, access)}
    order by ${raw(params.sort_by)} ${order} nulls last, cron_id ${order}
    limit ${params.limit} offset ${params.offset}`);
}

export async function countCrons(
  db: Queryable,
  filter: CronFilter,
  access: AccessFilter,
): Promise<number> {
  const row = await first<{ total: number }>(
    db,
    sql`select count(*) as total from crons where ${matching(db, filter, access)}`,
  );
  return row?.total ?? 0;
}

function matching(
  { dialect }: Queryable,
  { assistant_ids, thread_id, metadata, enabled }: CronFilter,
  access: AccessFilter,
): Sql {
  const conditions = [visible(dialect, METADATA, access)];
  if (assistant_ids !== null)
    conditions.push(dialect.isMember(raw("assistant_id"), assistant_ids));
  if (thread_id !== undefined) conditions.push(sql`thread_id = ${thread_id}`);
  if (metadata !== undefined && Object.keys(metadata).length > 0)
    conditions.push(dialect.jsonContains(METADATA, metadata));
  if (enabled !== undefined) conditions.push(sql`enabled = ${enabled}`);
  return and(conditions);
}
