import type { AccessFilter } from "../model/access.ts";
import { visible } from "./access.ts";
import type { Queryable } from "./database.ts";
import { raw, sql } from "./sql.ts";

/** The runs of an assistant that wait or run, on whatever thread. */
export async function listUnfinishedRunsOf(
  db: Queryable,
  assistantId: string,
): Promise<{ run_id: string; thread_id: string }[]> {
  return db.query(sql`
    select run_id, thread_id from runs
    where assistant_id = ${assistantId} and q in ('ready', 'behind', 'delayed', 'running')`);
}

export async function deleteEndedRunsOf(
  tx: Queryable,
  assistantId: string,
): Promise<void> {
  await tx.query(
    sql`delete from runs where assistant_id = ${assistantId} and q = 'done'`,
  );
}

/** The threads whose last run was one of the assistant. */
export async function listThreadsOf(
  db: Queryable,
  assistantId: string,
  access: AccessFilter,
): Promise<{ thread_id: string }[]> {
  const metadata = raw("metadata");
  return db.query(sql`
    select thread_id from threads
    where ${db.dialect.jsonContains(metadata, { assistant_id: assistantId })}
      and ${visible(db.dialect, metadata, access)}`);
}
