import type { AccessFilter } from "../model/access.ts";
import type { Json } from "../lib/json.ts";
import { uuid7 } from "../lib/uuid.ts";
import type { Run, RunError } from "../model/run.ts";
import { isOwnPath } from "../model/webhook-policy.ts";
import {
  endPayload,
  GIVE_UP_MS,
  KEPT_MS,
  type DeliveryStatus,
  type WebhookDelivery,
} from "../model/webhook.ts";
import { visible } from "./access.ts";
import { first, type Queryable } from "./database.ts";
import { SHOWN, shown } from "./runs.ts";
import { and, json, raw, sql, type Sql } from "./sql.ts";

/** The end of a run that has just ended is to be told. Call it in the transaction that ends it, so that no crash can come between. */
export async function insertDelivery(
  tx: Queryable,
  params: {
    run_id: string;
    webhook: string;
    /** How the run left its thread; null when nobody could tell. */
    values: Json;
    error: RunError | null;
  },
): Promise<void> {
  const { now, nowPlus } = tx.dialect;
  const run = await getEndedRun(tx, params.run_id);
  if (run === null) return;
  const payload = json(endPayload(run, params));
  const host = isOwnPath(params.webhook) ? "" : new URL(params.webhook).host;
  await tx.query(sql`
    insert into webhook_deliveries (
      delivery_id, run_id, thread_id, url, host, next_attempt_at, give_up_at,
      metadata, created_at, updated_at, expires_at, payload)
    select ${uuid7()}, ${run.run_id}, thread_id, ${params.webhook}, ${host}, ${now},
           ${nowPlus(GIVE_UP_MS)}, metadata, ${now}, ${now}, ${nowPlus(GIVE_UP_MS + KEPT_MS)},
           ${payload}
    from threads where thread_id = ${run.thread_id}`);
}

async function getEndedRun(
  db: Queryable,
  runId: string,
): Promise<
  (Run & { started_at: string | null; finished_at: string | null }) | null
> {
  const row = await first<
    Run & { started_at: string | null; finished_at: string | null }
  >(
    db,
    sql`select ${SHOWN}, started_at, finished_at from runs where run_id = ${runId}`,
  );
  return row === null ? null : shown(row);
}

/** The columns that the API shows. */
const DELIVERY = raw(
  `delivery_id, run_id, thread_id, url, status, attempts,
    case when status = 'pending' then next_attempt_at end as next_attempt_at,
    response_status, last_error, created_at, updated_at, delivered_at, expires_at`,
);

export interface DeliveryPage {
  status?: DeliveryStatus | undefined;
  run_id?: string | undefined;
  limit: number;
  offset: number;
}

/** Newest first. */
export async function listDeliveries(
  db: Queryable,
  page: DeliveryPage,
  access: AccessFilter,
): Promise<WebhookDelivery[]> {
  return db.query(sql`
    select ${DELIVERY} from webhook_deliveries
    where ${matching(db, page, access)}
    order by created_at desc, delivery_id desc
    limit ${page.limit} offset ${page.offset}`);
}

export async function countDeliveries(
  db: Queryable,
  page: DeliveryPage,
  access: AccessFilter,
): Promise<number> {
  const row = await first<{ total: number }>(
    db,
    sql`select count(*) as total from webhook_deliveries where ${matching(db, page, access)}`,
  );
  return row?.total ?? 0;
}

function matching(
  { dialect }: Queryable,
  { status, run_id }: DeliveryPage,
  access: AccessFilter,
): Sql {
  const all = [visible(dialect, raw("metadata"), access)];
  if (status !== undefined) all.push(sql`status = ${status}`);
  if (run_id !== undefined) all.push(sql`run_id = ${run_id}`);
  return and(all);
}

/** Null when it is missing or hidden. */
export async function getDelivery(
  db: Queryable,
  deliveryId: string,
  access: AccessFilter,
): Promise<WebhookDelivery | null> {
  return first(
    db,
    sql`
      select ${DELIVERY} from webhook_deliveries
      where delivery_id = ${deliveryId} and ${visible(db.dialect, raw("metadata"), access)}`,
  );
}

/** Due now, with all of its time before it. Null when it is missing or hidden, or when somebody is sending it. */
export async function replayDelivery(
  tx: Queryable,
  deliveryId: string,
  access: AccessFilter,
): Promise<WebhookDelivery | null> {
  const { now, nowPlus } = tx.dialect;
  return first(
    tx,
    sql`
      update webhook_deliveries
      set status = 'pending', attempts = 0, next_attempt_at = ${now}, updated_at = ${now},
          give_up_at = ${nowPlus(GIVE_UP_MS)}, expires_at = ${nowPlus(GIVE_UP_MS + KEPT_MS)}
      where delivery_id = ${deliveryId} and owner is null
        and ${visible(tx.dialect, raw("metadata"), access)}
      returning ${DELIVERY}`,
  );
}
