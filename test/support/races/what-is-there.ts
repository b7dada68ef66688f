import type { Queryable } from "../../../src/storage/database.ts";
import { sql } from "../../../src/storage/sql.ts";
import type { World } from "./worlds.ts";

/** Everything that operations change, by labels instead of ids and without times, so that two histories can be compared. */
export async function whatIsThere(
  db: Queryable,
  { thread, alive, expired, runs: known }: World,
): Promise<string> {
  const [threads, runs, checkpoints, values, writes, segments, others] =
    await Promise.all([
      db.query<Record<string, unknown>>(sql`
        select thread_id, status, rest_status, rest_error, error, metadata, "values", event_seq
        from threads order by cast(metadata as text)`),
      db.query<Record<string, unknown>>(sql`
        select run_id, thread_id, cast(metadata as text) as metadata, seq, q, status, attempt,
               deaths, cancel, owner, input_applied, last_checkpoint_id
        from runs order by seq, cast(metadata as text)`),
      db.query<Record<string, unknown>>(
        sql`select thread_id, checkpoint_id, run_id from checkpoints order by thread_id, checkpoint_id`,
      ),
      db.query<Record<string, unknown>>(
        sql`select thread_id, hash from checkpoint_values order by thread_id, hash`,
      ),
      db.query<Record<string, unknown>>(
        sql`select thread_id, checkpoint_id, task_id, run_id from checkpoint_writes order by thread_id, task_id`,
      ),
      db.query<Record<string, unknown>>(
        sql`select first_seq, attempt from event_segments order by first_seq`,
      ),
      db.query<Record<string, unknown>>(sql`
        select 'instance ' || instance_id as row, 1 as n from instances
        union all
        select 'deliveries', count(*) from webhook_deliveries
        order by row`),
    ]);
  const names = new Map([
    [thread, "T"],
    [alive, "alive"],
    [expired, "expired"],
    ...Object.entries(known).map(([label, id]) => [id, label] as const),
  ]);
  for (const { run_id, metadata } of runs)
    names.set(String(run_id), labelIn(String(metadata)));
  for (const { thread_id } of threads)
    if (!names.has(String(thread_id))) names.set(String(thread_id), "another");
  let text = JSON.stringify(
    { threads, runs, checkpoints, values, writes, segments, others },
    null,
    1,
  );
  for (const [id, name] of names) text = text.replaceAll(id, name);
  return text.replaceAll(/"[0-9a-f]{8}-[0-9a-f-]{27}"/g, '"an id"');
}

const labelIn = (metadata: string): string =>
  /"label": ?"([^"]*)"/.exec(metadata)?.[1] ?? "unlabelled";
