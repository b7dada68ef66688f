import type { JsonObject } from "../lib/json.ts";
import type { RunError } from "../model/run.ts";
import type { ThreadStatus } from "../model/thread.ts";
import { first, type Queryable } from "./database.ts";
import type { Dialect } from "./dialect.ts";
import { hasUnfinishedRun, promoteNext } from "./run-queue.ts";
import { json, raw, sql, type Sql } from "./sql.ts";
import { moved } from "./threads.ts";

/*
 * A thread is busy while a run of it waits or runs. `rest_*` say how it stands
 * apart from that, for when the runs that it is busy with leave nothing behind.
 */

/** By which graph and assistant a thread is searched and its state is read. */
export interface ThreadGraph {
  graph_id: string;
  assistant_id: string;
}

/**
 * A run is accepted: returns its `runs.seq`, first in, first out; null when the
 * thread is gone. The thread is of the graph of the run that has the turn, or
 * had it last; a run that comes while others go on changes nothing of that.
 */
export async function markThreadBusy(
  tx: Queryable,
  params: ThreadGraph & { thread_id: string; hasTurn: boolean },
): Promise<number | null> {
  const row = await first<{ run_seq: number }>(
    tx,
    sql`
      update threads set ${busy(tx.dialect, params)}
      where thread_id = ${params.thread_id}
      returning run_seq`,
  );
  return row?.run_seq ?? null;
}

/** What an update of `threads` sets for a run that is accepted. `rest_graph` is empty for a thread that has never had a graph. */
export const busy = (
  dialect: Dialect,
  params: ThreadGraph & { hasTurn: boolean },
): Sql => {
  const { graph_id, assistant_id, hasTurn } = params;
  const { now, jsonMerge, jsonPick } = dialect;
  const metadata = raw("threads.metadata");
  const wasBusy = raw("threads.status = 'busy'");
  return sql`
    run_seq = threads.run_seq + 1,
    metadata = case when ${wasBusy} and not ${hasTurn} then ${metadata}
      else ${jsonMerge(metadata, { graph_id, assistant_id })} end,
    rest_status = case when ${wasBusy} then threads.rest_status else threads.status end,
    rest_error = case when ${wasBusy} then threads.rest_error else threads.error end,
    rest_graph = case when ${wasBusy} then threads.rest_graph
      else ${jsonPick(metadata, ["graph_id", "assistant_id"])} end,
    state_updated_at = case when ${wasBusy} then threads.state_updated_at else ${now} end,
    status = 'busy', error = null, ${moved(dialect)}`;
};

/** A run has ended and others go on: how the thread would stand without them. */
export async function setThreadRest(
  tx: Queryable,
  params: ThreadGraph & {
    thread_id: string;
    status: Exclude<ThreadStatus, "busy">;
    error: RunError | null;
  },
): Promise<void> {
  const { thread_id, status, error, graph_id, assistant_id } = params;
  await tx.query(sql`
    update threads
    set rest_status = ${status}, rest_error = ${json(error)},
        rest_graph = ${json({ graph_id, assistant_id })}
    where thread_id = ${thread_id}`);
}

/** Gives the turn to who waits first, if nobody has it. True when somebody got it. */
export async function passTurn(
  tx: Queryable,
  threadId: string,
): Promise<boolean> {
  const next = await promoteNext(tx, threadId);
  if (next !== null) await setThreadGraph(tx, threadId, { ...next });
  return next !== null;
}

/** Runs were taken back: the next one has the turn, or the thread stands where it stood before. True when somebody got the turn. */
export async function takeBackTurn(
  tx: Queryable,
  threadId: string,
): Promise<boolean> {
  if (await hasUnfinishedRun(tx, threadId)) return passTurn(tx, threadId);
  const row = await restoreThread(tx, threadId);
  if (row?.rest_graph != null)
    await setThreadGraph(tx, threadId, row.rest_graph);
  return false;
}

async function setThreadGraph(
  tx: Queryable,
  threadId: string,
  graph: JsonObject,
): Promise<void> {
  await tx.query(sql`
    update threads set metadata = ${tx.dialect.jsonMerge(sql`metadata`, graph)}
    where thread_id = ${threadId}`);
}

/** A thread that is busy since before there was `rest_status` is judged by its questions. */
async function restoreThread(
  tx: Queryable,
  threadId: string,
): Promise<{ rest_graph: JsonObject | null } | null> {
  const { now, jsonDiffers } = tx.dialect;
  const hasInterrupts = jsonDiffers(sql`interrupts`, json({}));
  const byInterrupts = sql`case when ${hasInterrupts} then 'interrupted' else 'idle' end`;
  return first(
    tx,
    sql`
      update threads
      set status = coalesce(rest_status, ${byInterrupts}), error = rest_error,
          state_updated_at = ${now}, ${moved(tx.dialect)}
      where thread_id = ${threadId}
      returning rest_graph`,
  );
}

/** Keeps the numbering of events growing when their segments are gone. */
export async function raiseEventSeq(
  tx: Queryable,
  params: { thread_id: string; seq: number },
): Promise<void> {
  await tx.query(sql`
    update threads set event_seq = ${params.seq}
    where thread_id = ${params.thread_id} and event_seq < ${params.seq}`);
}
