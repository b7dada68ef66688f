import type { JsonObject } from "../lib/json.ts";
import { KEPT_MS, type DeliveryStatus } from "../model/webhook.ts";
import { first, type Queryable } from "./database.ts";
import { raw, sql, type Sql } from "./sql.ts";

/*
 * Who sends a delivery claims it first: the row has an owner, and nobody else
 * touches it before `next_attempt_at`. An owner that died by then has sent it
 * or not, nobody knows, and it is sent again.
 */

/** A receiver for which deliveries wait, and when the first of them is due. */
export interface WaitingHost {
  host: string;
  next_attempt_at: string;
}

/**
 * Leaps from host to host in `webhook_deliveries_waiting`, so that a hundred
 * thousand that wait for one receiver cost no more than one.
 */
export async function listWaitingHosts(db: Queryable): Promise<WaitingHost[]> {
  return db.query(sql`
    with recursive hosts (host) as (
      select host from (
        select host from webhook_deliveries where status = 'pending'
        order by host limit 1) as lowest
      union all
      select (
        select host from webhook_deliveries
        where status = 'pending' and host > hosts.host
        order by host limit 1)
      from hosts where hosts.host is not null)
    select host, (
        select next_attempt_at from webhook_deliveries
        where status = 'pending' and webhook_deliveries.host = hosts.host
        order by next_attempt_at limit 1) as next_attempt_at
    from hosts where host is not null`);
}

export async function countPendingDeliveries(db: Queryable): Promise<number> {
  const row = await first<{ total: number }>(
    db,
    sql`select count(*) as total from webhook_deliveries where status = 'pending'`,
  );
  return row?.total ?? 0;
}

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

/** Those for the host that are due, the one first that is so longest. */
export async function claimDeliveries(
  tx: Queryable,
  params: { host: string; limit: number; owner: string; claimMs: number },
): Promise<ClaimedDelivery[]> {
  const { now, nowPlus, skipLocked } = tx.dialect;
  return tx.query(sql`
    update webhook_deliveries
    set owner = ${params.owner}, attempts = attempts + 1, updated_at = ${now},
        next_attempt_at = ${nowPlus(params.claimMs)}
    where delivery_id in (
      select delivery_id from webhook_deliveries
      where status = 'pending' and host = ${params.host} and next_attempt_at <= ${now}
      order by next_attempt_at
      limit ${params.limit}
      ${skipLocked})
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
