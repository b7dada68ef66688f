import type { AccessFilter } from "../model/access.ts";
import type {
  MultitaskStrategy,
  Run,
  RunKwargs,
  RunStatus,
} from "../model/run.ts";
import type { JsonObject } from "../lib/json.ts";
import { visible } from "./access.ts";
import { first, type Queryable } from "./database.ts";
import type { Dialect } from "./dialect.ts";
import { and, EMPTY, json, raw, sql, type Sql } from "./sql.ts";

/** The columns that the API shows. */
export const SHOWN = raw(
  "runs.run_id, runs.thread_id, runs.assistant_id, runs.created_at, runs.updated_at, runs.status, runs.metadata, runs.kwargs, runs.multitask_strategy, runs.cancel_reason",
);

export interface NewRun {
  run_id: string;
  thread_id: string;
  assistant_id: string;
  graph_id: string;
  /** Null: the last that its thread has given out. */
  seq: number | null;
  q: "ready" | "behind" | "delayed";
  multitask_strategy: MultitaskStrategy;
  afterMs: number;
  max_attempts: number;
  keeps_events: boolean;
  kwargs: RunKwargs;
  metadata: JsonObject;
  /** Where its end is told; null: nowhere. */
  webhook: string | null;
}

export async function insertRun(tx: Queryable, run: NewRun): Promise<Run> {
  const seq =
    run.seq === null
      ? sql`(select run_seq from threads where thread_id = ${run.thread_id})`
      : sql`${run.seq}`;
  const metadata = sql`${json(run.metadata)}`;
  const insertion = runInsertion(tx.dialect, run, { seq, metadata });
  return shown((await first<Run>(tx, insertion)) as Run);
}

/** `from`: where `seq` and `metadata` come from. */
export function runInsertion(
  { now, nowPlus }: Dialect,
  run: Omit<NewRun, "seq" | "metadata">,
  { seq, metadata, from = EMPTY }: { seq: Sql; metadata: Sql; from?: Sql },
): Sql {
  return sql`
    insert into runs (
      run_id, thread_id, assistant_id, graph_id, seq, q, multitask_strategy,
      run_at, max_attempts, keeps_events, kwargs, metadata, webhook, created_at, updated_at)
    select
      ${run.run_id}, ${run.thread_id}, ${run.assistant_id}, ${run.graph_id},
      ${seq}, ${run.q}, ${run.multitask_strategy},
      ${nowPlus(run.afterMs)}, ${run.max_attempts}, ${run.keeps_events},
      ${json(run.kwargs)}, ${metadata}, ${run.webhook}, ${now}, ${now}
    ${from}
    returning ${SHOWN}`;
}

/**
 * A run inherits the access of its thread. Without `thread_id`: whichever
 * thread it has. A stateless run that has ended can be found by its own id alone, for
 * those who come late to its stream.
 */
export async function getRun(
  db: Queryable,
  params: { thread_id?: string; run_id: string },
  access: AccessFilter,
): Promise<Run | null> {
  const row = await first<Run>(
    db,
    sql`
      select ${SHOWN}
      from runs join threads using (thread_id)
      where run_id = ${params.run_id}
        and ${visible(db.dialect, raw("threads.metadata"), access)}
        ${params.thread_id === undefined ? raw("") : sql`and runs.thread_id = ${params.thread_id} and not (threads.temporary and runs.q = 'done')`}`,
  );
  return row === null ? null : shown(row);
}

export interface RunPage {
  thread_id: string;
  status?: RunStatus | undefined;
  limit: number;
  offset: number;
}

/** Newest first. The caller has seen the thread. */
export async function listRuns(
  db: Queryable,
  page: RunPage,
): Promise<{ runs: Run[]; total: number }> {
  const matching = and(conditions(page));
  const rows = await db.query<Run>(sql`
    select ${SHOWN} from runs where ${matching}
    order by created_at desc, seq desc
    limit ${page.limit} offset ${page.offset}`);
  const count = await first<{ total: number }>(
    db,
    sql`select count(*) as total from runs where ${matching}`,
  );
  return { runs: rows.map(shown), total: count?.total ?? 0 };
}

function conditions(page: RunPage): Sql[] {
  const all = [sql`thread_id = ${page.thread_id}`];
  if (page.status !== undefined) all.push(sql`status = ${page.status}`);
  return all;
}

export interface UnfinishedRun {
  run_id: string;
  q: string;
}

/** Runs of the thread that have not ended, the one whose turn it is first. */
export async function listUnfinishedRuns(
  db: Queryable,
  threadId: string,
): Promise<UnfinishedRun[]> {
  return db.query(sql`
    select run_id, q from runs
    where thread_id = ${threadId} and q <> 'done'
    order by seq`);
}

/** The newest checkpoint that the run has made of its graph. Null: none, or there is no such run. */
export async function getLastCheckpointId(
  db: Queryable,
  runId: string,
): Promise<string | null> {
  const row = await first<{ last_checkpoint_id: string | null }>(
    db,
    sql`select last_checkpoint_id from runs where run_id = ${runId}`,
  );
  return row?.last_checkpoint_id ?? null;
}

/** Null when the run is gone. */
export async function getGraphOfRun(
  db: Queryable,
  runId: string,
): Promise<string | null> {
  const row = await first<{ graph_id: string }>(
    db,
    sql`select graph_id from runs where run_id = ${runId}`,
  );
  return row?.graph_id ?? null;
}

/** How often the run was claimed; 0 when it never was, or is gone. */
export async function getAttempt(
  db: Queryable,
  runId: string,
): Promise<number> {
  const row = await first<{ attempt: number }>(
    db,
    sql`select attempt from runs where run_id = ${runId}`,
  );
  return row?.attempt ?? 0;
}

/** Which of the runs there are on the thread, in their order. */
export async function listExistingRuns(
  db: Queryable,
  threadId: string,
  runIds: readonly string[],
): Promise<string[]> {
  const rows = await db.query<{ run_id: string }>(sql`
    select run_id from runs
    where thread_id = ${threadId} and ${db.dialect.isMember(sql`run_id`, runIds)}
    order by seq`);
  return rows.map((row) => row.run_id);
}

/** Visible threads with a run that has not ended. Each condition is a partial index: most runs have. */
export async function listThreadsWithUnfinished(
  db: Queryable,
  access: AccessFilter,
): Promise<string[]> {
  const rows = await db.query<{ thread_id: string }>(sql`
    select thread_id from threads
    where thread_id in (
        select thread_id from runs where q in ('ready', 'running')
        union
        select thread_id from runs where q in ('behind', 'delayed'))
      and ${visible(db.dialect, raw("threads.metadata"), access)}`);
  return rows.map((row) => row.thread_id);
}

export async function deleteRun(tx: Queryable, runId: string): Promise<void> {
  await tx.query(sql`delete from runs where run_id = ${runId}`);
}

/** Tracing is not ours to do, but clients expect the key; what a run owes to the streaming protocol is between us and it. */
export function shown<Row extends Run>(row: Row): Row {
  const { protocol: _, ...kwargs } = row.kwargs;
  return { ...row, kwargs, langsmith_session_name: null };
}
