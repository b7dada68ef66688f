import { first, type Queryable } from "./database.ts";
import { sql } from "./sql.ts";

/*
 * Firing a cron is one transaction: the run is inserted, the tick is written
 * down, and the cron is moved to its next tick.
 */

export interface UpcomingTick {
  cron_id: string;
  next_run_date: string;
  /** What the clock of the database says now. */
  clock: string;
}

/** The crons that fire next, be they due or not; a range scan of `crons_due`. */
export async function listUpcomingTicks(
  db: Queryable,
  limit: number,
): Promise<UpcomingTick[]> {
  return db.query<UpcomingTick>(sql`
    select cron_id, next_run_date, ${db.dialect.now} as clock from crons
    where next_run_date is not null
    order by next_run_date, cron_id
    limit ${limit}`);
}

/** False: it was changed or fired meanwhile. */
export async function advanceCron(
  tx: Queryable,
  params: { cron_id: string; scheduled: Date; next: Date | null },
): Promise<boolean> {
  const row = await first(
    tx,
    sql`
      update crons set next_run_date = ${params.next}
      where cron_id = ${params.cron_id} and next_run_date = ${params.scheduled}
      returning cron_id`,
  );
  return row !== null;
}

/** False: this tick has had its run. */
export async function insertTick(
  tx: Queryable,
  params: { cron_id: string; scheduled: Date; run_id: string },
): Promise<boolean> {
  const row = await first(
    tx,
    sql`
      insert into cron_ticks (cron_id, scheduled_at, fired_at, run_id)
      values (${params.cron_id}, ${params.scheduled}, ${tx.dialect.now}, ${params.run_id})
      on conflict (cron_id, scheduled_at) do nothing
      returning run_id`,
  );
  return row !== null;
}

/** Some at a time. Returns how many went. */
export async function deleteOldTicks(
  tx: Queryable,
  params: { firedBefore: Date; limit: number },
): Promise<number> {
  const rows = await tx.query(sql`
    delete from cron_ticks
    where (cron_id, scheduled_at) in (
      select cron_id, scheduled_at from cron_ticks
      where fired_at < ${params.firedBefore}
      limit ${params.limit})
    returning cron_id`);
  return rows.length;
}
