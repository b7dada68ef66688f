import type { JsonObject } from "../lib/json.ts";
import type { AccessFilter } from "../model/access.ts";
import type { Assistant } from "../model/assistant.ts";
import type { Run } from "../model/run.ts";
import { visible } from "./access.ts";
import { isUnchanged } from "./assistants.ts";
import { writeChained, type Database } from "./database.ts";
import type { Dialect } from "./dialect.ts";
import { runInsertion, shown, type NewRun } from "./runs.ts";
import { and, json, raw, sql, type Sql } from "./sql.ts";
import { busy } from "./thread-turn.ts";
import type { NewThread } from "./threads.ts";

/** Which thread may get the run: one that is made for it, one that is there, or either. */
export type ThreadOrigin = "new" | "there" | "either";

export interface AtOnce {
  /** As it was when it was read. */
  assistant: Assistant;
  /** As it is made where it is not there. */
  thread: NewThread;
  origin: ThreadOrigin;
  access: AccessFilter;
  run: Omit<NewRun, "seq" | "metadata" | "thread_id">;
  /** Laid over that of the assistant and of the thread. */
  metadata: JsonObject;
}

/**
 * A run on a thread on which nothing goes on. It may be executed twice: a run
 * that is accepted makes its thread busy, and is not accepted again once it has
 * ended. Null, with nothing written, when the thread is busy, missing, hidden
 * or, for a new one, there; and when the assistant has changed.
 */
export async function acceptAtOnce(
  database: Database,
  params: AtOnce,
): Promise<Run | null> {
  const { dialect } = database;
  const [row] = await writeChained<Run>(database, {
    first: sql`
      ${busyThread(dialect, params)}
      returning thread_id, run_seq, metadata`,
    second: (threads) => runOn(dialect, params, threads),
    table: raw("threads"),
  });
  return row === undefined ? null : shown(row);
}

function busyThread(dialect: Dialect, params: AtOnce): Sql {
  const { origin, assistant, access, thread, run } = params;
  const { graph_id, assistant_id } = run;
  const set = sql`set ${busy(dialect, { graph_id, assistant_id, hasTurn: true })}`;
  const mayRun = isUnchanged(assistant);
  const isIdle = and([
    raw("threads.status <> 'busy' and not threads.temporary"),
    visible(dialect, raw("threads.metadata"), access),
    sql`not exists (select 1 from runs where run_id = ${run.run_id})`,
  ]);
  if (origin === "there")
    return sql`
      update threads ${set}
      where thread_id = ${thread.thread_id} and ${isIdle} and ${mayRun}`;
  const otherwise =
    origin === "new" ? raw("nothing") : sql`update ${set} where ${isIdle}`;
  return sql`
    ${insertion(dialect, params, mayRun)}
    on conflict (thread_id) do ${otherwise}`;
}

function insertion(
  { now, plusMinutes }: Dialect,
  { thread, run: { graph_id, assistant_id } }: AtOnce,
  condition: Sql,
): Sql {
  const { ttl } = thread;
  const minutes = ttl?.ttl_minutes ?? null;
  return sql`
    insert into threads (
      thread_id, created_at, updated_at, state_updated_at, metadata, temporary,
      ttl_strategy, ttl_minutes, expires_at, status, run_seq, rest_status, rest_graph)
    select
      ${thread.thread_id}, ${now}, ${now}, ${now}, ${json(thread.metadata)}, ${thread.temporary ?? false},
      ${ttl?.strategy ?? null}, ${minutes}, ${plusMinutes(now, sql`${minutes}`)},
      'busy', 1, 'idle', ${json({ graph_id, assistant_id })}
    where ${condition}`;
}

function runOn(
  dialect: Dialect,
  { assistant, thread: { thread_id }, run, metadata }: AtOnce,
  threads: Sql,
): Sql {
  const { jsonMerge } = dialect;
  const inherited = jsonMerge(
    sql`${json(assistant.metadata)}`,
    raw("thread.metadata"),
  );
  return runInsertion(
    dialect,
    { ...run, thread_id },
    {
      seq: raw("thread.run_seq"),
      metadata: jsonMerge(inherited, metadata),
      from: sql`from ${threads} as thread where thread.thread_id = ${thread_id}`,
    },
  );
}
