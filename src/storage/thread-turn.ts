import { first, type Queryable } from "./database.ts";
import { json, sql } from "./sql.ts";
import { moved } from "./threads.ts";

/**
 * A run is accepted: returns its `runs.seq`, first in, first out; null when the thread is gone. The thread
 * remembers its graph and assistant, by which it is searched and its state is
 * read; a thread that is busy keeps those of the run it is busy with.
 */
export async function markThreadBusy(
  tx: Queryable,
  params: { thread_id: string; graph_id: string; assistant_id: string },
): Promise<number | null> {
  const { now, jsonMerge } = tx.dialect;
  const { thread_id, graph_id, assistant_id } = params;
  const row = await first<{ run_seq: number }>(
    tx,
    sql`
      update threads
      set run_seq = run_seq + 1,
          metadata = case when status = 'busy' then metadata
            else ${jsonMerge(sql`metadata`, { graph_id, assistant_id })} end,
          state_updated_at = case when status = 'busy' then state_updated_at else ${now} end,
          status = 'busy', error = null, ${moved(tx.dialect)}
      where thread_id = ${thread_id}
      returning run_seq`,
  );
  return row?.run_seq ?? null;
}

/** The last run of the thread was taken back before it started: the thread stands where it stood. */
export async function restoreThreadStatus(
  tx: Queryable,
  threadId: string,
): Promise<void> {
  const { now } = tx.dialect;
  await tx.query(sql`
    update threads
    set status = case when interrupts = ${json({})} then 'idle' else 'interrupted' end,
        state_updated_at = ${now}, ${moved(tx.dialect)}
    where thread_id = ${threadId}`);
}
