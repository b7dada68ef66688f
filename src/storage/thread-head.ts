import { createHash } from "node:crypto";
import { first, type Queryable } from "./database.ts";
import { EMPTY, sql } from "./sql.ts";

/** Which state a thread has in one namespace: two equal heads are the same state. */
export interface ThreadHead {
  checkpoint_id: string;
  /** Says what has been written to the checkpoint since it was put. */
  writes: string;
}

interface PendingRow {
  checkpoint_id: string;
  task_id: string;
  idx: number;
  bytes: number;
  data: Uint8Array | null;
}

/** The newest checkpoint of the namespace, or the one that is named; null when there is none. */
export async function readHead(
  db: Queryable,
  at: {
    thread_id: string;
    checkpoint_ns: string;
    checkpoint_id?: string | undefined;
  },
): Promise<ThreadHead | null> {
  const [head] = await listHeads(db, { ...at, limit: 1 });
  return head ?? null;
}

/**
 * The newest checkpoints of the namespace, those before `before` when it is
 * given, newest first.
 *
 * A write is stored once and then stays, so number and size tell whether there
 * are others. Interrupts, resume values and errors are the exception: they
 * have negative indices and are replaced in place, so their content counts.
 */
export async function listHeads(
  db: Queryable,
  at: {
    thread_id: string;
    checkpoint_ns: string;
    checkpoint_id?: string | undefined;
    before?: string | undefined;
    limit: number;
  },
): Promise<ThreadHead[]> {
  const { thread_id, checkpoint_ns, checkpoint_id, before } = at;
  const exact =
    checkpoint_id === undefined
      ? EMPTY
      : sql`and checkpoint_id = ${checkpoint_id}`;
  const older =
    before === undefined ? EMPTY : sql`and checkpoint_id < ${before}`;
  const heads = sql`
    select checkpoint_id from checkpoints
    where thread_id = ${thread_id} and checkpoint_ns = ${checkpoint_ns} ${exact} ${older}
    order by checkpoint_id desc limit ${at.limit}`;
  const rows = await db.query<
    PendingRow | { checkpoint_id: string; task_id: null }
  >(sql`
    select
      head.checkpoint_id as checkpoint_id,
      w.task_id as task_id,
      w.idx as idx,
      length(w.data) as bytes,
      case when w.idx < 0 then w.data end as data
    from (${heads}) head
    left join checkpoint_writes w
      on w.thread_id = ${thread_id}
      and w.checkpoint_ns = ${checkpoint_ns}
      and w.checkpoint_id = head.checkpoint_id
    order by head.checkpoint_id desc, w.task_id, w.idx`);
  const pending = new Map<string, PendingRow[]>();
  for (const row of rows) {
    const writes = pending.get(row.checkpoint_id) ?? [];
    pending.set(row.checkpoint_id, writes);
    if (row.task_id !== null) writes.push(row);
  }
  return [...pending].map(([id, writes]) => ({
    checkpoint_id: id,
    writes: digest(writes),
  }));
}

function digest(writes: readonly PendingRow[]): string {
  const bytes = writes.reduce((sum, write) => sum + write.bytes, 0);
  const count = `${writes.length}/${bytes}`;
  const replaceable = writes.filter((write) => write.data !== null);
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
