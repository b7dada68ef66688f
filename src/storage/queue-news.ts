import { first, type Database, type Queryable } from "./database.ts";
import { sql, type Sql } from "./sql.ts";

/*
 * What an instance has to know now and then, in one statement: an idle server
 * costs its database about one per second.
 */

export interface QueueNews {
  has_ready: boolean;
  /** The lease of an instance is over. */
  has_expired: boolean;
  /** Somebody wants a run of this instance stopped. */
  has_cancelled: boolean;
  /** How many runs this instance has. */
  owned: number;
  /** A run that may not start yet is due by now. */
  has_due: boolean;
}

const news = ({ dialect }: Queryable, owner: string): Sql => sql`
  exists (select 1 from runs where q = 'ready' and run_at <= ${dialect.now}) as has_ready,
  exists (select 1 from instances where lease_until < ${dialect.now}) as has_expired,
  exists (
    select 1 from runs
    where owner = ${owner} and q = 'running' and cancel is not null) as has_cancelled,
  (select count(*) from runs where owner = ${owner} and q = 'running') as owned,
  exists (select 1 from runs where q = 'delayed' and run_at <= ${dialect.now}) as has_due`;

export async function readNews(
  db: Queryable,
  owner: string,
): Promise<QueueNews> {
  const row = await first<QueueNews>(db, sql`select ${news(db, owner)}`);
  return row as QueueNews;
}

/** Extends the lease as well. Null when the row is gone: this instance was declared dead and owns nothing any more. */
export async function extendLease(
  database: Database,
  params: { instance_id: string; leaseMs: number },
): Promise<QueueNews | null> {
  const { instance_id, leaseMs } = params;
  const [row] = await database.write<QueueNews>(sql`
    update instances
    set beat = beat + 1, lease_until = ${database.dialect.nowPlus(leaseMs)}
    where instance_id = ${instance_id}
    returning ${news(database, instance_id)}`);
  return row ?? null;
}
