import { createHash } from "node:crypto";
import { first, type Queryable } from "./database.ts";
import { EMPTY, sql } from "./sql.ts";

/** Which state a thread has in one namespace: two equal heads are the same state. */
export interface ThreadHead {
  checkpoint_id: string;
  /** Says what has been written to the checkpoint since it was put. */
  writes: string;
}

interface HeadRow {
  checkpoint_id: string;
  writes: number;
  bytes: number;
  task_id: string | null;
  idx: number | null;
  data: Uint8Array | null;
}

/**
 * The newest checkpoint of the namespace, or the one that is named; null when
 * there is none.
 *
 * A write is stored once and then stays, so number and size tell whether there
 * are others. Interrupts, resume values and errors are the exception: they
 * have negative indices and are replaced in place, so their content counts.
 */
export async function readHead(
  db: Queryable,
  at: {
    thread_id: string;
    checkpoint_ns: string;
    checkpoint_id?: string | undefined;
  },
): Promise<ThreadHead | null> {
  const exact =
    at.checkpoint_id === undefined
      ? EMPTY
      : sql`and checkpoint_id = ${at.checkpoint_id}`;
  const ofHead = sql`
    from checkpoint_writes
    where thread_id = head.thread_id
      and checkpoint_ns = head.checkpoint_ns
      and checkpoint_id = head.checkpoint_id`;
  const rows = await db.query<HeadRow>(sql`
    select
      head.checkpoint_id as checkpoint_id,
      (select count(*) ${ofHead}) as writes,
      (select coalesce(sum(length(data)), 0) ${ofHead}) as bytes,
      w.task_id as task_id,
      w.idx as idx,
      w.data as data
    from (
      select thread_id, checkpoint_ns, checkpoint_id from checkpoints
      where thread_id = ${at.thread_id} and checkpoint_ns = ${at.checkpoint_ns} ${exact}
      order by checkpoint_id desc limit 1
    ) head
    left join checkpoint_writes w
      on w.thread_id = head.thread_id
      and w.checkpoint_ns = head.checkpoint_ns
      and w.checkpoint_id = head.checkpoint_id
      and w.idx < 0
    order by w.task_id, w.idx`);
  const [row] = rows;
  return row === undefined
    ? null
    : { checkpoint_id: row.checkpoint_id, writes: digest(row, rows) };
}

function digest({ writes, bytes }: HeadRow, rows: readonly HeadRow[]): string {
  const count = `${writes}/${bytes}`;
  const replaceable = rows.filter((row) => row.data !== null);
  if (replaceable.length === 0) return count;
  const hash = createHash("sha256");
  for (const { task_id, idx, data } of replaceable)
    hash.update(`${task_id} ${idx} ${data?.length} `).update(data ?? "");
  return `${count}:${hash.digest("base64url")}`;
}

/** Whether a run of the thread waits (delayed ones too) or runs. */
export async function hasActiveRun(
  db: Queryable,
  threadId: string,
): Promise<boolean> {
  // Two questions, each answered by a partial index: a thread may have many finished runs.
  const row = await first(
    db,
    sql`
      select 1 as found from runs where thread_id = ${threadId} and q in ('ready', 'running')
      union all
      select 1 as found from runs where thread_id = ${threadId} and q in ('behind', 'delayed')
      limit 1`,
  );
  return row !== null;
}
