import type { Json, JsonObject } from "../lib/json.ts";
import { UNRESTRICTED, type AccessFilter } from "../model/access.ts";
import {
  statusOf,
  type Thread,
  type ThreadSnapshot,
  type ThreadStatus,
  type ThreadTtl,
  type TtlRule,
} from "../model/thread.ts";
import { visible } from "./access.ts";
import { first, type Queryable } from "./database.ts";
import type { Dialect } from "./dialect.ts";
import { EMPTY, json, raw, sql, type Sql } from "./sql.ts";
import {
  copyPages,
  inlineValues,
  storePages,
  valuesOf,
  type StoredValues,
} from "./thread-values.ts";

/** The columns that the API shows. */
const shown = (dialect: Dialect): Sql =>
  sql`thread_id, created_at, updated_at, state_updated_at, metadata, config, status,
    ${valuesOf(dialect)} as "values", interrupts, error`;

/** One visible thread. The thread of a stateless run can be found by its id, and only until the run has ended. */
const oneThread = (
  dialect: Dialect,
  threadId: string,
  access: AccessFilter,
): Sql =>
  sql`thread_id = ${threadId} and ${visible(dialect, raw("metadata"), access)}
    and (not temporary or status = 'busy')`;

/** For every statement that changes a thread: its time to live counts from its last change. */
export const moved = ({ now, plusMinutes }: Dialect): Sql =>
  sql`updated_at = ${now}, expires_at = ${plusMinutes(now, raw("threads.ttl_minutes"))}`;

export interface NewThread {
  thread_id: string;
  metadata: JsonObject;
  ttl: TtlRule | null;
  /** The hidden thread of a stateless run. */
  temporary?: boolean;
}

/** Null when a thread has the id already, visible or not. */
export async function insertThread(
  tx: Queryable,
  thread: NewThread,
): Promise<Thread | null> {
  const { now, plusMinutes } = tx.dialect;
  const { ttl } = thread;
  return first(
    tx,
    sql`
      insert into threads (
        thread_id, created_at, updated_at, state_updated_at, metadata,
        ttl_strategy, ttl_minutes, expires_at, temporary)
      values (
        ${thread.thread_id}, ${now}, ${now}, ${now}, ${json(thread.metadata)},
        ${ttl?.strategy ?? null}, ${ttl?.ttl_minutes ?? null},
        ${plusMinutes(now, sql`${ttl?.ttl_minutes ?? null}`)}, ${thread.temporary ?? false})
      on conflict (thread_id) do nothing
      returning ${shown(tx.dialect)}`,
  );
}

/** Null when it is missing or hidden. */
export async function getThread(
  db: Queryable,
  threadId: string,
  access: AccessFilter,
): Promise<Thread | null> {
  return first(
    db,
    sql`select ${shown(db.dialect)} from threads where ${oneThread(db.dialect, threadId, access)}`,
  );
}

/** What is left of the state for whoever waited for a run. Null when the thread is gone. */
export async function getLastState(
  db: Queryable,
  threadId: string,
): Promise<Pick<Thread, "values" | "interrupts"> | null> {
  return first(
    db,
    sql`select ${valuesOf(db.dialect)} as "values", interrupts from threads where thread_id = ${threadId}`,
  );
}

/** Null when the thread lives for ever, or is missing or hidden. */
export async function getThreadTtl(
  db: Queryable,
  threadId: string,
  access: AccessFilter,
): Promise<ThreadTtl | null> {
  return first(
    db,
    sql`
      select ttl_strategy as strategy, ttl_minutes, expires_at from threads
      where ${oneThread(db.dialect, threadId, access)} and ttl_minutes is not null`,
  );
}

/** A thread without what may be large. */
export interface ThreadHandle {
  thread_id: string;
  status: ThreadStatus;
  metadata: JsonObject;
  config: JsonObject;
  temporary: boolean;
  /** The last `runs.seq` given out. */
  run_seq: number;
  /** Its values are in pages. */
  values_paged: boolean;
}

const HANDLE = raw(
  "thread_id, status, metadata, config, temporary, run_seq, values_paged",
);

/** As `getThread`, without values. */
export async function findThread(
  db: Queryable,
  threadId: string,
  access: AccessFilter,
): Promise<ThreadHandle | null> {
  return first(
    db,
    sql`select ${HANDLE} from threads where ${oneThread(db.dialect, threadId, access)}`,
  );
}

/** Nobody else moves the thread or its runs until this transaction ends. Null when it is missing or hidden. */
export async function lockThread(
  tx: Queryable,
  threadId: string,
  access: AccessFilter,
): Promise<ThreadHandle | null> {
  return first(
    tx,
    sql`
      select ${HANDLE} from threads
      where ${oneThread(tx.dialect, threadId, access)}
      ${tx.dialect.forUpdate}`,
  );
}

export interface ThreadChange {
  /** Laid over the metadata that is there, key by key. */
  metadata: JsonObject;
  /** Null leaves it as it is. */
  ttl: TtlRule | null;
}

/** Null when it is missing or hidden. */
export async function patchThread(
  tx: Queryable,
  threadId: string,
  access: AccessFilter,
  { metadata, ttl }: ThreadChange,
): Promise<Thread | null> {
  const { now, plusMinutes, jsonMerge } = tx.dialect;
  const minutes = sql`coalesce(${ttl?.ttl_minutes ?? null}, ttl_minutes)`;
  return first(
    tx,
    sql`
      update threads
      set metadata = ${jsonMerge(raw("metadata"), metadata)}, updated_at = ${now},
          ttl_strategy = coalesce(${ttl?.strategy ?? null}, ttl_strategy),
          ttl_minutes = ${minutes}, expires_at = ${plusMinutes(now, minutes)}
      where ${oneThread(tx.dialect, threadId, access)}
      returning ${shown(tx.dialect)}`,
  );
}

/** Runs, checkpoints and events of the thread go with it. False when it is missing or hidden. */
export async function deleteThread(
  tx: Queryable,
  threadId: string,
  access: AccessFilter,
): Promise<boolean> {
  const row = await first(
    tx,
    sql`
      delete from threads where ${oneThread(tx.dialect, threadId, access)}
      returning thread_id`,
  );
  return row !== null;
}

/** The row of a copy: metadata, values and interrupts of the source, at rest. Null when the source is missing or hidden. */
export async function copyThread(
  tx: Queryable,
  threadId: string,
  access: AccessFilter,
  copy: { thread_id: string; ttl: TtlRule | null },
): Promise<Thread | null> {
  const { now, plusMinutes, jsonMerge } = tx.dialect;
  const ownId = { thread_id: copy.thread_id };
  const minutes = copy.ttl?.ttl_minutes ?? null;
  const row = await first(
    tx,
    sql`
      insert into threads (
        thread_id, created_at, updated_at, state_updated_at, metadata, values_paged, "values", interrupts,
        ttl_strategy, ttl_minutes, expires_at)
      select ${copy.thread_id}, ${now}, ${now}, ${now},
             ${jsonMerge(raw("metadata"), ownId)}, values_paged, "values", interrupts,
             ${copy.ttl?.strategy ?? null}, ${minutes}, ${plusMinutes(now, sql`${minutes}`)}
      from threads where ${oneThread(tx.dialect, threadId, access)}
      returning thread_id`,
  );
  if (row === null) return null;
  await copyPages(tx, threadId, copy.thread_id);
  return getThread(tx, copy.thread_id, UNRESTRICTED);
}

export interface ThreadOutcome {
  status: ThreadStatus;
  /** Null: values and interrupts stay as they are. */
  snapshot: ThreadSnapshot | null;
  /** Null clears it. */
  error: Json;
  /** False: it has no pages of values, and nobody needs to look. */
  wasPaged?: boolean;
  /** The highest number that its events have got: keeps them growing when their segments are gone. */
  lastEventSeq?: number;
}

/**
 * How a thread stands after something happened to it. `updated_at` always
 * moves; `state_updated_at` only when status, values or interrupts have
 * changed. Metadata is never touched. The caller has the lock of the thread.
 */
export async function setThreadSnapshot(
  tx: Queryable,
  threadId: string,
  outcome: ThreadOutcome,
): Promise<void> {
  const { snapshot, wasPaged = true } = outcome;
  const values =
    snapshot === null
      ? null
      : await storePages(tx, threadId, { values: snapshot.values, wasPaged });
  await tx.query(
    sql`${settingSnapshot(tx.dialect, outcome, values)} where thread_id = ${threadId}`,
  );
}

/**
 * The same for a thread that comes to rest because its last run ends. Null when
 * its values are too long for its row. No row: it has values in pages, or a
 * run that has not ended and is not this one; or the thread is gone.
 */
export function restingThread(
  dialect: Dialect,
  run: { thread_id: string; seq: number },
  outcome: ThreadOutcome,
): Sql | null {
  const { snapshot } = outcome;
  const values = snapshot === null ? null : inlineValues(snapshot.values);
  if (snapshot !== null && values === null) return null;
  // Who accepts a run counts `run_seq` up, in this row: so nobody has since the one that ends.
  return sql`
    ${settingSnapshot(dialect, outcome, values)}
    where thread_id = ${run.thread_id} and run_seq = ${run.seq} and not values_paged
      and not exists (
        select 1 from runs
        where runs.thread_id = ${run.thread_id} and q in ('behind', 'delayed'))
    returning thread_id`;
}

/** All of the statement but which thread it is about. `values`: null when there is no snapshot. */
function settingSnapshot(
  dialect: Dialect,
  { status, snapshot, error, lastEventSeq = 0 }: ThreadOutcome,
  values: StoredValues | null,
): Sql {
  const { now, jsonDiffers } = dialect;
  const interrupts = json(snapshot?.interrupts ?? null);
  const orHasChanged =
    values === null
      ? EMPTY
      : sql`or ${values.hasMoved} or ${jsonDiffers(raw('"values"'), values.inline)} or ${jsonDiffers(raw("interrupts"), interrupts)}`;
  const assigned =
    values === null
      ? EMPTY
      : sql`, values_paged = ${values.isPaged}, "values" = ${values.inline}, interrupts = ${interrupts}`;
  return sql`
    update threads
    set status = ${status}, error = ${error === null ? null : json(error)}, ${moved(dialect)},
        event_seq = case when event_seq < ${lastEventSeq} then ${lastEventSeq} else event_seq end,
        state_updated_at = case
          when status <> ${status} ${orHasChanged} then ${now}
          else state_updated_at end
        ${assigned}`;
}

/** What an update or supersteps leave behind when nothing runs. */
export const atRest = (snapshot: ThreadSnapshot): ThreadOutcome => ({
  status: statusOf(snapshot),
  snapshot,
  error: null,
});
