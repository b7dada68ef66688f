import { first, type Database, type Queryable } from "./database.ts";
import { sql } from "./sql.ts";

/*
 * A duty is work that one instance at a time does. Its row is the lease on it;
 * the database's clock alone decides when that ends.
 */

export interface DutyHolder {
  name: string;
  owner: string;
}

/** Takes the duty when nobody has it, and renews it for who has. False: another has it. */
export async function takeDuty(
  database: Database,
  { name, owner, leaseMs }: DutyHolder & { leaseMs: number },
): Promise<boolean> {
  const { now, nowPlus } = database.dialect;
  const rows = await database.write(sql`
    insert into duties (name, owner, lease_until)
    values (${name}, ${owner}, ${nowPlus(leaseMs)})
    on conflict (name) do update
    set owner = excluded.owner, lease_until = excluded.lease_until
    where duties.owner = excluded.owner or duties.lease_until < ${now}
    returning owner`);
  return rows.length > 0;
}

/** Gives the duty up. False: it is not the owner's any more. */
export async function releaseDuty(
  tx: Queryable,
  { name, owner }: DutyHolder,
): Promise<boolean> {
  const row = await first(
    tx,
    sql`delete from duties where name = ${name} and owner = ${owner} returning name`,
  );
  return row !== null;
}

/** Only for a database that one process owns: whoever had the duty is dead. */
export async function voidDuty(tx: Queryable, name: string): Promise<void> {
  await tx.query(sql`delete from duties where name = ${name}`);
}
