import type { PendingWriteRecord } from "../protocol/checkpoint-frames.ts";
import type { Queryable } from "./database.ts";
import { EMPTY, raw, rowsOf, sql, type Sql } from "./sql.ts";

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
  const kept =
    row.idx < 0 && row.run_id !== null
      ? keepReplaced(tx, {
          ...row,
          run_id: row.run_id,
          which: sql`checkpoint_ns = ${row.checkpoint_ns} and checkpoint_id = ${row.checkpoint_id}
            and task_id = ${row.task_id} and idx = ${row.idx}`,
        })
      : null;
  const put = tx.query(sql`
    insert into checkpoint_writes (
      thread_id, checkpoint_ns, checkpoint_id, task_id, idx, task_path, run_id, channel, type, data)
    values (
      ${row.thread_id}, ${row.checkpoint_ns}, ${row.checkpoint_id}, ${row.task_id},
      ${row.idx}, ${row.task_path}, ${row.run_id}, ${row.channel}, ${row.type}, ${row.data})
    on conflict (thread_id, checkpoint_ns, checkpoint_id, task_id, idx) ${resolution}`);
  await Promise.all([kept, put]);
}

/** Of indices from 0 on, which stay as they were first made. */
export const writesInsert = (rows: readonly PendingWriteRow[]): Sql => sql`
  insert into checkpoint_writes (
    thread_id, checkpoint_ns, checkpoint_id, task_id, idx, task_path, run_id, channel, type, data)
  values ${rowsOf(
    rows.map((row) => [
      row.thread_id,
      row.checkpoint_ns,
      row.checkpoint_id,
      row.task_id,
      row.idx,
      row.task_path,
      row.run_id,
      row.channel,
      row.type,
      row.data,
    ]),
  )}
  on conflict (thread_id, checkpoint_ns, checkpoint_id, task_id, idx) do nothing`;

/** The task of LangGraph's that stands for the caller: its writes are the command's. */
export const CALLER_TASK = "00000000-0000-0000-0000-000000000000";

/**
 * LangGraph leaves the caller's answer where it was when a task has taken it,
 * and would give it to the next question too when it starts from there again.
 */
export async function forgetAnswer(
  tx: Queryable,
  at: { thread_id: string; run_id: string | null },
): Promise<void> {
  const which = sql`task_id = ${CALLER_TASK} and channel = '__resume__'`;
  const { thread_id, run_id } = at;
  await Promise.all([
    run_id === null ? null : keepReplaced(tx, { thread_id, run_id, which }),
    tx.query(
      sql`delete from checkpoint_writes where thread_id = ${thread_id} and ${which}`,
    ),
  ]);
}

const WRITE = raw(
  "thread_id, checkpoint_ns, checkpoint_id, task_id, idx, task_path, run_id, channel, type, data",
);

/** Writes of earlier runs that the run is about to change are kept as they are now, for its rollback. Other runs have had theirs. */
async function keepReplaced(
  tx: Queryable,
  of: { thread_id: string; run_id: string; which: Sql },
): Promise<void> {
  const { thread_id, run_id, which } = of;
  await Promise.all([
    tx.query(sql`
      delete from replaced_writes
      where thread_id = ${thread_id} and replaced_by <> ${run_id}`),
    tx.query(sql`
      insert into replaced_writes (${WRITE}, replaced_by)
      select ${WRITE}, ${run_id} from checkpoint_writes
      where thread_id = ${thread_id} and ${which} and run_id is distinct from ${run_id}
      on conflict (thread_id, checkpoint_ns, checkpoint_id, task_id, idx) do nothing`),
  ]);
}

/** Undoes what the run has changed of earlier runs' writes. Its own are gone already. */
export async function restoreReplaced(
  tx: Queryable,
  threadId: string,
  runId: string,
): Promise<void> {
  const of = sql`thread_id = ${threadId} and replaced_by = ${runId}`;
  await tx.query(sql`
    insert into checkpoint_writes (${WRITE})
    select ${WRITE} from replaced_writes where ${of}
    on conflict (thread_id, checkpoint_ns, checkpoint_id, task_id, idx) do update set
      task_path = excluded.task_path, run_id = excluded.run_id, channel = excluded.channel,
      type = excluded.type, data = excluded.data`);
  await tx.query(sql`delete from replaced_writes where ${of}`);
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
