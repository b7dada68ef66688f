import { AppError } from "../model/errors.ts";
import { pageHashes } from "../lib/ref-page.ts";
import type { Fence } from "../model/run.ts";
import type {
  CheckpointRecord,
  CheckpointWrite,
  PendingWriteRecord,
  StoredValue,
} from "../protocol/checkpoint-frames.ts";
import { countValues, insertValues, splitHashes } from "./checkpoint-values.ts";
import {
  CALLER_TASK,
  forgetAnswer,
  putPendingWrite,
} from "./checkpoint-writes.ts";
import { first, type Queryable } from "./database.ts";
import type { Dialect } from "./dialect.ts";
import { EMPTY, join, json, sql, type Sql } from "./sql.ts";

export {
  deleteRunCheckpoints,
  pruneCheckpoints,
} from "./checkpoint-pruning.ts";
export { storageReport, type StorageReport } from "./storage-report.ts";

/**
 * A checkpoint refers to values that are neither with it nor stored. Nothing
 * of the transaction may be committed; its maker sends the values again.
 */
export class MissingValuesError extends AppError {
  constructor(record: CheckpointRecord) {
    super(
      "conflict",
      `checkpoint ${record.checkpoint_id} refers to values that were deleted meanwhile; try again`,
    );
  }
}

/** The attempt that wants to store something has its run no more. Nothing of the transaction may be committed. */
export class LeaseLostError extends Error {
  constructor({ run_id, attempt }: Fence) {
    super(`attempt ${attempt} at run ${run_id} has lost its lease`);
  }
}

/**
 * Whether the run's attempt still holds its lease; it does until the end of
 * this transaction. Null: it does not, store none of the writes. A checkpoint
 * of the graph itself marks that the input is in, so that it is never submitted
 * again; so does a question that follows an answer.
 */
export function fenceRun(
  tx: Queryable,
  fence: Fence,
  writes: readonly CheckpointWrite[],
): Promise<{ thread_id: string } | null> {
  return first(tx, fencing(tx.dialect, fence, writes));
}

/** The statement of the above: a row where the lease is held. */
export function fencing(
  { forUpdate }: Dialect,
  fence: Fence,
  writes: readonly CheckpointWrite[],
): Sql {
  const telling = writes.filter(holdsInput);
  if (telling.length === 0)
    return sql`
      select thread_id from runs
      where run_id = ${fence.run_id} and attempt = ${fence.attempt} and q = 'running'
      ${forUpdate}`;
  const checkpointId = newestPut(telling);
  return sql`
    update runs
    set input_applied = ${true}, last_checkpoint_id = coalesce(${checkpointId}, last_checkpoint_id)
    where run_id = ${fence.run_id} and attempt = ${fence.attempt} and q = 'running'
    returning thread_id`;
}

const newestPut = (writes: readonly CheckpointWrite[]): string | null =>
  writes.findLast((write) => write.kind === "put")?.record.checkpoint_id ??
  null;

/** For the statement that ends the run, which is its own fence: what the above would set, each with a comma before it. */
export function inputApplied(writes: readonly CheckpointWrite[]): Sql {
  const telling = writes.filter(holdsInput);
  if (telling.length === 0) return EMPTY;
  return sql`, input_applied = ${true}, last_checkpoint_id = coalesce(${newestPut(telling)}, last_checkpoint_id)`;
}

/** Step -2 is the empty checkpoint under which LangGraph stores the writes of a run that saves only at its end. */
function holdsInput(write: CheckpointWrite): boolean {
  if (write.kind === "writes") return asksAgain(write.writes);
  const { checkpoint_ns, metadata } = write.record;
  return checkpoint_ns === "" && metadata["step"] !== -2;
}

/** Whether a task has taken an answer and stopped at its next question. */
export function asksAgain(writes: readonly PendingWriteRecord[]): boolean {
  const has = (channel: string) =>
    writes.some(
      (write) => write.channel === channel && write.task_id !== CALLER_TASK,
    );
  return has("__resume__") && has("__interrupt__");
}

export async function threadExists(
  db: Queryable,
  threadId: string,
): Promise<boolean> {
  const row = await first(
    db,
    sql`select 1 as found from threads where thread_id = ${threadId}`,
  );
  return row !== null;
}

/**
 * Stores what LangGraph gave to its saver. Repeating it changes nothing. All of
 * its statements are sent at once, in their order.
 * `runId` is the run that made it, if one did. Throws MissingValuesError.
 */
export async function writeCheckpoint(
  tx: Queryable,
  write: CheckpointWrite,
  runId: string | null,
): Promise<void> {
  if (write.kind === "writes") {
    const { thread_id } = write;
    await Promise.all([
      ...write.writes.map((pending) =>
        putPendingWrite(tx, { ...write, ...pending, run_id: runId }),
      ),
      asksAgain(write.writes) && forgetAnswer(tx, { thread_id, run_id: runId }),
    ]);
    return;
  }
  const { record, values } = write;
  const needed = neededHashes(record, values);
  const [, found] = await Promise.all([
    insertValues(tx, record.thread_id, values),
    countValues(tx, record.thread_id, needed),
    putRecord(tx, record, runId),
  ]);
  if (found < needed.size) throw new MissingValuesError(record);
}

/** What the record and the pages that came with it refer to, but for what came with it. */
export function neededHashes(
  record: CheckpointRecord,
  values: readonly StoredValue[],
): Set<string> {
  const { pages, others } = splitHashes(Object.values(record.channels));
  const needed = new Set([...pages, ...others]);
  for (const { type, data } of values)
    if (type === "page") for (const hash of pageHashes(data)) needed.add(hash);
  for (const { hash } of values) needed.delete(hash);
  return needed;
}

async function putRecord(
  tx: Queryable,
  record: CheckpointRecord,
  runId: string | null,
): Promise<void> {
  await tx.query(recordsPut(tx.dialect, [record], runId));
}

/** No two of the records may be the same checkpoint. */
export const recordsPut = (
  { now }: Dialect,
  records: readonly CheckpointRecord[],
  runId: string | null,
): Sql => sql`
  insert into checkpoints (
    thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, run_id,
    created_at, metadata, checkpoint, channels)
  values ${join(
    records.map(
      (record) => sql`(
        ${record.thread_id}, ${record.checkpoint_ns}, ${record.checkpoint_id},
        ${record.parent_checkpoint_id}, ${runId}, ${now},
        ${json(record.metadata)}, ${json(record.checkpoint)}, ${json(record.channels)})`,
    ),
    ", ",
  )}
  on conflict (thread_id, checkpoint_ns, checkpoint_id) do update set
    parent_checkpoint_id = excluded.parent_checkpoint_id,
    run_id = excluded.run_id,
    metadata = excluded.metadata,
    checkpoint = excluded.checkpoint,
    channels = excluded.channels`;

/** Every checkpoint of the thread, with all that belongs to them. */
export async function deleteCheckpoints(
  tx: Queryable,
  threadId: string,
): Promise<void> {
  await tx.query(
    sql`delete from checkpoint_writes where thread_id = ${threadId}`,
  );
  await tx.query(sql`delete from checkpoints where thread_id = ${threadId}`);
  await tx.query(
    sql`delete from checkpoint_values where thread_id = ${threadId}`,
  );
}

/**
 * The history of `from`, in all namespaces, as the history of `to`, which has
 * none yet. Ids stay; no run of `to` made any of it.
 */
export async function copyCheckpoints(
  tx: Queryable,
  from: string,
  to: string,
): Promise<void> {
  const { jsonContains, jsonMerge } = tx.dialect;
  await tx.query(sql`
    insert into checkpoint_values (thread_id, hash, type, data)
    select ${to}, hash, type, data from checkpoint_values where thread_id = ${from}`);
  await tx.query(sql`
    insert into checkpoints (
      thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, created_at,
      metadata, checkpoint, channels)
    select
      ${to}, checkpoint_ns, checkpoint_id, parent_checkpoint_id, created_at,
      case
        when ${jsonContains(sql`metadata`, { thread_id: from })}
        then ${jsonMerge(sql`metadata`, { thread_id: to })}
        else metadata
      end,
      checkpoint, channels
    from checkpoints where thread_id = ${from}`);
  await tx.query(sql`
    insert into checkpoint_writes (
      thread_id, checkpoint_ns, checkpoint_id, task_id, idx, task_path, channel, type, data)
    select
      ${to}, checkpoint_ns, checkpoint_id, task_id, idx, task_path, channel, type, data
    from checkpoint_writes where thread_id = ${from}`);
}
