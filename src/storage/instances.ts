import type { Queryable } from "./database.ts";
import { json, sql } from "./sql.ts";

/*
 * An instance is one incarnation of a server process. Its row is its lease on
 * all runs that it owns; the database's clock alone decides when that ends.
 */

export async function insertInstance(
  tx: Queryable,
  params: { instance_id: string; leaseMs: number; info: unknown },
): Promise<void> {
  await tx.query(sql`
    insert into instances (instance_id, lease_until, info)
    values (${params.instance_id}, ${tx.dialect.nowPlus(params.leaseMs)}, ${json(params.info)})`);
}

/** Only for a database that one process owns: whoever held a lease before is dead. */
export async function voidLeases(tx: Queryable): Promise<void> {
  await tx.query(sql`update instances set lease_until = ${new Date(0)}`);
}

export async function listInstances(
  db: Queryable,
): Promise<{ instance_id: string; info: unknown }[]> {
  return db.query(sql`select instance_id, info from instances`);
}

/** For instances of which somebody knows that they have died. */
export async function voidLeasesOf(
  tx: Queryable,
  instanceIds: readonly string[],
): Promise<void> {
  await tx.query(sql`
    update instances set lease_until = ${new Date(0)}
    where ${tx.dialect.isMember(sql`instance_id`, instanceIds)}`);
}

/** Skips what another instance is reaping. */
export async function listExpiredInstances(tx: Queryable): Promise<string[]> {
  const rows = await tx.query<{ instance_id: string }>(sql`
    select instance_id from instances
    where lease_until < ${tx.dialect.now}
    order by instance_id
    ${tx.dialect.skipLocked}`);
  return rows.map((row) => row.instance_id);
}

/** Fails while a run still belongs to it: the schema keeps an owner from vanishing. */
export async function deleteInstance(
  tx: Queryable,
  instanceId: string,
): Promise<void> {
  await tx.query(sql`delete from instances where instance_id = ${instanceId}`);
}
