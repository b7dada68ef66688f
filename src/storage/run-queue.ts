import type { JsonObject } from "../lib/json.ts";
import type {
  CancelAction,
  Fence,
  RunError,
  RunKwargs,
  RunStatus,
} from "../model/run.ts";
import { first, type Database, type Queryable } from "./database.ts";
import { lastEventSeqOf } from "./event-segments.ts";
import type { Dialect } from "./dialect.ts";
import { EMPTY, json, raw, sql, type Sql } from "./sql.ts";

/*
 * The states of `runs.q`, and what moves a run between them:
 *
 *   delayed ──due──► behind ──promote──► ready ──claim──► running ──finish──► done
 *                                          ▲                 │
 *                                          └─── hand back ───┘
 *
 * `ready` and `running` are the thread's turn, which the schema gives to one
 * run at a time. Whose turn it is gets decided at enqueue and at finish, under
 * the thread's lock, so a claim never looks at a run that cannot start. Any
 * run that has not started may go to `done` by cancel. Lock order: thread, run.
 *
 * A rollback ends in no row at all. Of a run that executes it is an intention
 * first, in the column `cancel`, which no later cancel takes back.
 */

/** A run that this instance now owns. */
export interface ClaimedRun {
  run_id: string;
  thread_id: string;
  assistant_id: string;
  graph_id: string;
  /** With `run_id` the fence of every write; grows with each claim. */
  attempt: number;
  /** Workers that have died by this run's doing. */
  deaths: number;
  /** As many deaths end it. */
  max_attempts: number;
  cancel: CancelAction | null;
  input_applied: boolean;
  /** Its stream is stored, not only what its result is made of. */
  keeps_events: boolean;
  kwargs: RunKwargs;
  metadata: JsonObject;
  /** Where its end is told; null: nowhere. */
  webhook: string | null;
  /** The highest seq that the thread's events have got, as far as the tables know. */
  last_event_seq: number;
  /** Its place among the runs of the thread, and the last place that was given out. */
  seq: number;
  thread_run_seq: number;
  /** Whether the thread has a state to start from. */
  has_checkpoints: boolean;
}

const CLAIMED = raw(
  "run_id, thread_id, assistant_id, graph_id, attempt, deaths, max_attempts, cancel, input_applied, keeps_events, kwargs, metadata, webhook, seq",
);

/** The runs that have a turn and whose time has come, oldest first; a range scan of `runs_claim`. */
export async function claimRuns(
  database: Database,
  params: { owner: string; limit: number },
): Promise<ClaimedRun[]> {
  const { now, skipLocked, keyShare } = database.dialect;
  // A list of its own: as part of the update, Postgres might make it more than once, and lock more each time.
  return database.write<ClaimedRun>(sql`
    with next as materialized (
      select run_id from runs
      where q = 'ready' and run_at <= ${now}
      order by run_at, run_id
      limit ${params.limit}
      ${skipLocked})
    update runs
    set q = 'running', status = 'running', owner = ${params.owner},
        attempt = attempt + 1, started_at = coalesce(started_at, ${now}), updated_at = ${now}
    where run_id in (select run_id from next)
      -- A zombie that was reaped has no row any more, and must not own a run; one that is being reaped waits for that.
      and exists (
        select 1 from instances where instance_id = ${params.owner} ${keyShare})
    returning ${CLAIMED}, ${lastEventSeqOf(raw("runs.thread_id"))} as last_event_seq,
      (select run_seq from threads where threads.thread_id = runs.thread_id) as thread_run_seq,
      exists (
        select 1 from checkpoints
        where checkpoints.thread_id = runs.thread_id and checkpoint_ns = '') as has_checkpoints`);
}

/** Runs that the owner has and does not know of, for what the answer to a claim was lost: back to the queue. */
export async function handBackUnknown(
  database: Database,
  { owner, known }: { owner: string; known: readonly string[] },
): Promise<void> {
  const { now, isMember } = database.dialect;
  await database.write(sql`
    update runs
    set q = 'ready', status = 'pending', owner = null, updated_at = ${now}
    where owner = ${owner} and q = 'running' and not (${isMember(raw("run_id"), known)})`);
}

/** Whether there is anything to claim now. */
export async function hasReadyRun(db: Queryable): Promise<boolean> {
  const row = await first(
    db,
    sql`select 1 as found from runs where q = 'ready' and run_at <= ${db.dialect.now} limit 1`,
  );
  return row !== null;
}

/** What every write on behalf of a run repeats: without it the lease is lost. */
const held = (fence: Fence): Sql =>
  sql`run_id = ${fence.run_id} and attempt = ${fence.attempt} and q = 'running'`;

/** "lost" also for a run that is to be rolled back: see `deleteHeldRun`. */
export async function finishRun(
  tx: Queryable,
  fence: Fence,
  end: { status: RunStatus; error: RunError | null },
): Promise<"finished" | "lost"> {
  const row = await first(tx, finishing(tx.dialect, fence, end));
  return row === null ? "lost" : "finished";
}

/** The statement of the above. `also`: further columns that it sets, each with a comma before it. */
export const finishing = (
  { now }: Dialect,
  fence: Fence,
  end: { status: RunStatus; error: RunError | null; also?: Sql },
): Sql => sql`
  update runs
  set q = 'done', status = ${end.status}, error = ${json(end.error)}, owner = null,
      finished_at = ${now}, updated_at = ${now} ${end.also ?? EMPTY}
  where ${held(fence)} and cancel is distinct from 'rollback'
  returning run_id`;

/** Whether this attempt has ended its run: nobody else can have. */
export async function hasFinished(
  db: Queryable,
  { run_id, attempt }: Fence,
): Promise<boolean> {
  const row = await first(
    db,
    sql`select 1 as found from runs where run_id = ${run_id} and attempt = ${attempt} and q = 'done'`,
  );
  return row !== null;
}

/** The end of a run that somebody has wanted rolled back. "lost" also when nobody has. */
export async function deleteHeldRun(
  tx: Queryable,
  fence: Fence,
): Promise<"deleted" | "lost"> {
  const row = await first(
    tx,
    sql`delete from runs where ${held(fence)} and cancel = 'rollback' returning run_id`,
  );
  return row === null ? "lost" : "deleted";
}

/** Back to the queue with the turn it has. `deaths`: how many it has to answer for since its claim. */
export async function handBackRun(
  tx: Queryable,
  fence: Fence,
  params: { deaths: number; delayMs?: number },
): Promise<"handed back" | "lost"> {
  const row = await first(
    tx,
    sql`
      update runs
      set q = 'ready', status = 'pending', owner = null, updated_at = ${tx.dialect.now},
          run_at = ${tx.dialect.nowPlus(params.delayMs ?? 0)},
          deaths = deaths + ${params.deaths}
      where ${held(fence)}
      returning run_id`,
  );
  return row === null ? "lost" : "handed back";
}

/** All that an instance owned, back to the queue. Its end was not their doing: graphs run elsewhere, so it counts against none. */
export async function handBackRunsOf(
  tx: Queryable,
  owner: string,
): Promise<string[]> {
  const rows = await tx.query<{ thread_id: string }>(sql`
    update runs
    set q = 'ready', status = 'pending', owner = null, updated_at = ${tx.dialect.now}
    where owner = ${owner} and q = 'running'
    returning thread_id`);
  return rows.map((row) => row.thread_id);
}

/** Gives the turn to the first run that waits behind, if nobody has it. Null when nobody got it. */
export async function promoteNext(
  tx: Queryable,
  threadId: string,
): Promise<{ graph_id: string; assistant_id: string } | null> {
  return first(
    tx,
    sql`
      update runs set q = 'ready'
      where run_id = (
          select run_id from runs
          where thread_id = ${threadId} and q = 'behind'
          order by seq limit 1)
        and not exists (
          select 1 from runs
          where thread_id = ${threadId} and q in ('ready', 'running'))
      returning graph_id, assistant_id`,
  );
}

/** Threads with a delayed run that is due, or with runs that wait behind nobody. */
export async function listThreadsToPromote(
  db: Queryable,
  limit: number,
): Promise<string[]> {
  const rows = await db.query<{ thread_id: string }>(sql`
    select thread_id from runs
    where q = 'delayed' and run_at <= ${db.dialect.now}
    union
    select thread_id from runs as waiting
    where q = 'behind' and not exists (
      select 1 from runs
      where thread_id = waiting.thread_id and q in ('ready', 'running'))
    limit ${limit}`);
  return rows.map((row) => row.thread_id);
}

/** When the next run is due that may not start yet; null when there is none. */
export async function nextDueAt(db: Queryable): Promise<Date | null> {
  const row = await first<{ run_at: string | null }>(
    db,
    sql`
      select min(run_at) as run_at from (
        select min(run_at) as run_at from runs where q = 'delayed'
        union all
        select min(run_at) from runs where q = 'ready' and run_at > ${db.dialect.now}
      ) as waiting`,
  );
  return row?.run_at == null ? null : new Date(row.run_at);
}

/** Due runs of the thread line up behind the others; `promoteNext` decides who is next. */
export async function lineUpDueRuns(
  tx: Queryable,
  threadId: string,
): Promise<void> {
  await tx.query(sql`
    update runs set q = 'behind'
    where thread_id = ${threadId} and q = 'delayed' and run_at <= ${tx.dialect.now}`);
}

/** Ends a run that has not started; one that was handed back has. Null: it has, or it has ended. */
export async function cancelWaitingRun(
  tx: Queryable,
  params: { run_id: string; reason: string | null },
): Promise<{ run_id: string; webhook: string | null } | null> {
  const { now } = tx.dialect;
  return first(
    tx,
    sql`
      update runs
      set q = 'done', status = 'interrupted', cancel_reason = ${params.reason},
          finished_at = ${now}, updated_at = ${now}
      where run_id = ${params.run_id} and q in ('ready', 'behind', 'delayed') and attempt = 0
      returning run_id, webhook`,
  );
}

/** The rollback of a run that does not execute. `attempt`: above 0 it has, and may have left something. Null: it executes, or has ended. */
export async function deleteWaitingRun(
  tx: Queryable,
  runId: string,
): Promise<{ attempt: number } | null> {
  return first(
    tx,
    sql`
      delete from runs
      where run_id = ${runId} and q in ('ready', 'behind', 'delayed')
      returning attempt`,
  );
}

/**
 * Tells the owner of a run that has started to stop it; one that was handed
 * back is stopped by its next owner, at once. The column survives the owner.
 * Null: it has not started, or it has ended.
 */
export async function requestCancel(
  tx: Queryable,
  params: { run_id: string; action: CancelAction; reason: string | null },
): Promise<{ run_id: string } | null> {
  return first(
    tx,
    sql`
      update runs
      set cancel = case when cancel = 'rollback' then cancel else ${params.action} end,
          cancel_reason = coalesce(${params.reason}, cancel_reason), updated_at = ${tx.dialect.now},
          run_at = case when q = 'ready' then ${tx.dialect.now} else run_at end
      where run_id = ${params.run_id} and (q = 'running' or (q = 'ready' and attempt > 0))
      returning run_id`,
  );
}

/** Runs of this instance that somebody wants stopped; the heartbeat looks, so that no notification has to arrive. */
export async function listCancelled(
  db: Queryable,
  owner: string,
): Promise<Fence[]> {
  return db.query<Fence>(sql`
    select run_id, attempt from runs
    where owner = ${owner} and q = 'running' and cancel is not null`);
}

/** Runs that have not ended. `oldest`: since when the one that waits longest could have started. */
export async function countQueue(
  db: Queryable,
): Promise<{ pending: number; running: number; oldest: string | null }> {
  const rows = await db.query<{
    q: string;
    total: number;
    run_at: string;
  }>(sql`
    select q, count(*) as total, min(run_at) as run_at from runs
    where q in ('ready', 'running') group by q
    union all
    select q, count(*) as total, min(run_at) as run_at from runs
    where q in ('behind', 'delayed') group by q`);
  const of = (...states: string[]) =>
    rows.filter(({ q }) => states.includes(q));
  const sum = (found: typeof rows) =>
    found.reduce((all, { total }) => all + total, 0);
  return {
    pending: sum(of("ready", "behind", "delayed")),
    running: sum(of("running")),
    oldest: of("ready")[0]?.run_at ?? null,
  };
}

/** Until this transaction ends nobody claims a run of the thread, and nothing is stored for one. */
export async function holdRuns(tx: Queryable, threadId: string): Promise<void> {
  await tx.query(sql`
    select run_id from runs where thread_id = ${threadId} and q <> 'done'
    ${tx.dialect.forUpdate}`);
}

/** Whether any run of the thread has not ended. */
export async function hasUnfinishedRun(
  db: Queryable,
  threadId: string,
): Promise<boolean> {
  const row = await first(
    db,
    sql`select 1 as busy from runs where thread_id = ${threadId} and q <> 'done' limit 1`,
  );
  return row !== null;
}

/** What the end of a run leaves for those who wait for it. Null while it goes on; a run that is gone has ended. */
export async function getRunEnd(
  db: Queryable,
  runId: string,
): Promise<{ status: RunStatus | null; error: RunError | null } | null> {
  const row = await first<{
    q: string;
    status: RunStatus;
    error: RunError | null;
  }>(db, sql`select q, status, error from runs where run_id = ${runId}`);
  if (row === null) return { status: null, error: null };
  return row.q === "done" ? { status: row.status, error: row.error } : null;
}

/** Threads of stateless runs whose run has ended a while ago, some at a time. Returns how many went. */
export async function deleteEndedTemporaryThreads(
  tx: Queryable,
  params: { endedBefore: Date; limit: number },
): Promise<number> {
  const rows = await tx.query(sql`
    delete from threads
    where thread_id in (
      select thread_id from threads
      where temporary = ${true}
        and updated_at < ${params.endedBefore}
        and not exists (
          select 1 from runs
          where runs.thread_id = threads.thread_id and runs.q <> 'done')
      limit ${params.limit})
    returning thread_id`);
  return rows.length;
}
