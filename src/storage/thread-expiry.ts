import type { TtlStrategy } from "../model/thread.ts";
import type { Queryable } from "./database.ts";
import { raw, sql } from "./sql.ts";

/*
 * A thread expires when it has not changed for its minutes: every change moves
 * `expires_at`. One that is busy does not; the end of its run is a change.
 */

export interface ExpiredThread {
  thread_id: string;
  ttl_strategy: TtlStrategy;
}

/** Locked, the longest expired first; a range scan of `threads_by_expiry`. Skips what others hold. */
export async function lockExpiredThreads(
  tx: Queryable,
  limit: number,
): Promise<ExpiredThread[]> {
  return tx.query<ExpiredThread>(sql`
    select thread_id, ttl_strategy from threads
    where expires_at <= ${tx.dialect.now} and status <> 'busy' and temporary = ${false}
    order by expires_at
    limit ${limit}
    ${tx.dialect.skipLocked}`);
}

/** With runs, checkpoints and events. */
export async function deleteThreads(
  tx: Queryable,
  threadIds: readonly string[],
): Promise<void> {
  await tx.query(
    sql`delete from threads where ${tx.dialect.isMember(raw("thread_id"), threadIds)}`,
  );
}

/** Nothing more is to be done about them until they change again. */
export async function settleThreads(
  tx: Queryable,
  threadIds: readonly string[],
): Promise<void> {
  await tx.query(sql`
    update threads set expires_at = null
    where ${tx.dialect.isMember(raw("thread_id"), threadIds)}`);
}
