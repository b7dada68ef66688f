import type { PendingWriteRecord } from "../protocol/checkpoint-frames.ts";
import type { Queryable } from "./database.ts";
import { EMPTY, sql } from "./sql.ts";

export interface PendingWriteRow extends PendingWriteRecord {
  thread_id: string;
  checkpoint_ns: string;
  checkpoint_id: string;
  run_id: string | null;
}

/**
 * A write stays as it was first made. Errors, interrupts and resume values
 * have negative indices: a later one takes the place of an earlier one, whose
 * run keeps the row, so that deleting the later run does not undo the earlier.
 */
export async function putPendingWrite(
  tx: Queryable,
  row: PendingWriteRow,
): Promise<void> {
  const resolution =
    row.idx < 0
      ? sql`do update set
          task_path = excluded.task_path, channel = excluded.channel,
          type = excluded.type, data = excluded.data`
      : sql`do nothing`;
  await tx.query(sql`
    insert into checkpoint_writes (
      thread_id, checkpoint_ns, checkpoint_id, task_id, idx, task_path, run_id, channel, type, data)
    values (
      ${row.thread_id}, ${row.checkpoint_ns}, ${row.checkpoint_id}, ${row.task_id},
      ${row.idx}, ${row.task_path}, ${row.run_id}, ${row.channel}, ${row.type}, ${row.data})
    on conflict (thread_id, checkpoint_ns, checkpoint_id, task_id, idx) ${resolution}`);
}

/**
 * By checkpoint id, in LangGraph's order of the writes of a step: task path,
 * task, index, the texts by code point. `channels` absent: of every channel.
 */
export async function listPendingWrites(
  db: Queryable,
  of: {
    thread_id: string;
    checkpoint_ns: string;
    checkpointIds: readonly string[];
    channels?: readonly string[];
  },
): Promise<Map<string, PendingWriteRecord[]>> {
  const { isMember } = db.dialect;
  const rows = await db.query<PendingWriteRecord & { checkpoint_id: string }>(
    sql`
      select checkpoint_id, task_id, idx, task_path, channel, type, data
      from checkpoint_writes
      where thread_id = ${of.thread_id} and checkpoint_ns = ${of.checkpoint_ns}
        and ${isMember(sql`checkpoint_id`, of.checkpointIds)}
        ${of.channels === undefined ? EMPTY : sql`and ${isMember(sql`channel`, of.channels)}`}
      order by task_path, task_id, idx`,
  );
  const byCheckpoint = new Map<string, PendingWriteRecord[]>();
  for (const { checkpoint_id, ...write } of rows) {
    const writes = byCheckpoint.get(checkpoint_id);
    if (writes === undefined) byCheckpoint.set(checkpoint_id, [write]);
    else writes.push(write);
  }
  return byCheckpoint;
}
