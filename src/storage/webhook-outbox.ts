import type { JsonObject } from "../lib/json.ts";
import { KEPT_MS, type DeliveryStatus } from "../model/webhook.ts";
import { first, type Queryable } from "./database.ts";
import { raw, sql, type Sql } from "./sql.ts";

/*
 * Who sends a delivery claims it first: the row has an owner, and nobody else
 * touches it before `next_attempt_at`. An owner that died by then has sent it
 * or not, nobody knows, and it is sent again.
 */

/** Deliveries that may be sent now, to hosts other than these; those that wait longest first. */
export async function listDueDeliveries(
  db: Queryable,
  params: { exceptHosts: readonly string[]; limit: number },
): Promise<{ delivery_id: string; host: string }[]> {
  return db.query(sql`
    select delivery_id, host from webhook_deliveries
    where ${waiting(db, params.exceptHosts)} and next_attempt_at <= ${db.dialect.now}
    order by next_attempt_at
    limit ${params.limit}`);
}

export async function countPendingDeliveries(db: Queryable): Promise<number> {
  const row = await first<{ total: number }>(
    db,
    sql`select count(*) as total from webhook_deliveries where status = 'pending'`,
  );
  return row?.total ?? 0;
}

/** When the next of them is due; null when there is none. */
export async function nextDeliveryAt(
  db: Queryable,
  exceptHosts: readonly string[],
): Promise<Date | null> {
  const row = await first<{ next_attempt_at: string }>(
    db,
    sql`
      select next_attempt_at from webhook_deliveries
      where ${waiting(db, exceptHosts)}
      order by next_attempt_at
      limit 1`,
  );
  return row === null ? null : new Date(row.next_attempt_at);
}

const waiting = ({ dialect }: Queryable, exceptHosts: readonly string[]): Sql =>
  sql`status = 'pending' and not (${dialect.isMember(sql`host`, exceptHosts)})`;

/** One delivery that this owner, and nobody else, sends now. */
export interface ClaimedDelivery {
  delivery_id: string;
  run_id: string;
  url: string;
  host: string;
  /** Counts from 1; with the id the fence of what is recorded. */
  attempts: number;
  payload: JsonObject;
}

export async function claimDeliveries(
  tx: Queryable,
  params: { ids: readonly string[]; owner: string; claimMs: number },
): Promise<ClaimedDelivery[]> {
  const { now, nowPlus, isMember } = tx.dialect;
  return tx.query(sql`
    update webhook_deliveries
    set owner = ${params.owner}, attempts = attempts + 1, updated_at = ${now},
        next_attempt_at = ${nowPlus(params.claimMs)}
    where ${isMember(sql`delivery_id`, params.ids)}
      and status = 'pending' and next_attempt_at <= ${now}
    returning delivery_id, run_id, url, host, attempts, payload`);
}

type Claim = Pick<ClaimedDelivery, "delivery_id" | "attempts"> & {
  owner: string;
};

const held = ({ delivery_id, owner, attempts }: Claim): Sql =>
  sql`delivery_id = ${delivery_id} and owner = ${owner} and attempts = ${attempts}`;

export async function setDelivered(
  tx: Queryable,
  claim: Claim,
  responseStatus: number,
): Promise<void> {
  const { now, nowPlus } = tx.dialect;
  await tx.query(sql`
    update webhook_deliveries
    set status = 'delivered', owner = null, response_status = ${responseStatus}, last_error = null,
        delivered_at = ${now}, updated_at = ${now}, expires_at = ${nowPlus(KEPT_MS)}
    where ${held(claim)}`);
}

/** It is tried again later, unless its time is over by then; null when the claim is lost. */
export async function setFailed(
  tx: Queryable,
  claim: Claim,
  failure: {
    response_status: number | null;
    error: string;
    /** Null: it would be of no use. */
    retryInMs: number | null;
  },
): Promise<DeliveryStatus | null> {
  const { now, nowPlus } = tx.dialect;
  const again = nowPlus(failure.retryInMs ?? 0);
  const isDead =
    failure.retryInMs === null ? raw("1 = 1") : sql`${again} > give_up_at`;
  const row = await first<{ status: DeliveryStatus }>(
    tx,
    sql`
      update webhook_deliveries
      set status = case when ${isDead} then 'dead' else 'pending' end, owner = null, next_attempt_at = ${again}, updated_at = ${now},
          response_status = ${failure.response_status}, last_error = ${failure.error},
          expires_at = case when ${isDead} then ${nowPlus(KEPT_MS)} else expires_at end
      where ${held(claim)}
      returning status`,
  );
  return row?.status ?? null;
}

/** The attempt was cut off by our own end, and does not count. */
export async function releaseDelivery(
  tx: Queryable,
  claim: Claim,
): Promise<void> {
  await tx.query(sql`
    update webhook_deliveries
    set owner = null, attempts = attempts - 1, next_attempt_at = ${tx.dialect.now}
    where ${held(claim)}`);
}

/** Only for a database that one process owns: whoever was sending something before is dead. */
export async function releaseAllDeliveries(tx: Queryable): Promise<void> {
  await tx.query(sql`
    update webhook_deliveries set owner = null, next_attempt_at = ${tx.dialect.now}
    where status = 'pending' and owner is not null`);
}

/** Those whose time is over, some at once. Returns how many went. */
export async function deleteExpiredDeliveries(
  tx: Queryable,
  limit: number,
): Promise<number> {
  const rows = await tx.query(sql`
    delete from webhook_deliveries
    where delivery_id in (
      select delivery_id from webhook_deliveries
      where expires_at <= ${tx.dialect.now}
      order by expires_at
      limit ${limit}
      ${tx.dialect.skipLocked})
    returning delivery_id`);
  return rows.length;
}
