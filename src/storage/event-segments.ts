import type { ProducedEvent, RunEvent } from "../model/run-event.ts";
import { first, type Database, type Queryable } from "./database.ts";
import type { Fence } from "../model/run.ts";
import type { Dialect } from "./dialect.ts";
import { raw, sql, type Sql } from "./sql.ts";

/*
 * A segment is a batch of events of one attempt with consecutive seq. Its text
 * has one line per event: the name, a tab, the data, a tab, when it was produced.
 * None can hold a tab or a line break: data is JSON on one line, and names are
 * cleaned of control characters.
 */

export interface Segment extends Fence {
  thread_id: string;
  first_seq: number;
  /** Name and data of each, in order. */
  events: readonly ProducedEvent[];
}

/** A segment that is to be stored by somebody else, who says whether it is. */
export interface SegmentLoan {
  segment: Segment;
  settle(isStored: boolean): void;
}

/** Stores nothing when the attempt has lost its lease. */
export async function insertSegment(
  tx: Queryable,
  segment: Segment,
): Promise<"stored" | "lost"> {
  const row = await first(tx, insertion(tx, segment));
  return row === null ? "lost" : "stored";
}

/** The same as a transaction of its own. Fails on what is stored already. */
export async function writeSegment(
  database: Database,
  segment: Segment,
): Promise<void> {
  await database.write(insertion(database, segment));
}

/** For a write whose fence is another part of it. What is stored already stays. */
export function segmentInsert({ now }: Dialect, segment: Segment): Sql {
  const { thread_id, first_seq, run_id, attempt, events } = segment;
  return sql`
    insert into event_segments (thread_id, first_seq, last_seq, run_id, attempt, events, created_at)
    values (
      ${thread_id}, ${first_seq}, ${first_seq + events.length - 1}, ${run_id}, ${attempt},
      ${textOf(segment)}, ${now})
    on conflict (thread_id, first_seq) do nothing`;
}

function insertion({ dialect }: Queryable, segment: Segment): Sql {
  const text = textOf(segment);
  return sql`
    insert into event_segments (thread_id, first_seq, last_seq, run_id, attempt, events, created_at)
    select ${segment.thread_id}, ${segment.first_seq}, ${segment.first_seq + segment.events.length - 1},
           run_id, attempt, ${text}, ${dialect.now}
    from runs
    where run_id = ${segment.run_id} and attempt = ${segment.attempt} and q = 'running'
    ${dialect.forUpdate}
    returning first_seq`;
}

const textOf = ({ events }: Segment): string => events.map(lineOf).join("\n");

const lineOf = ([event, data, at = Date.now()]: ProducedEvent): string =>
  `${event}\t${data}\t${at}`;

interface SegmentRow {
  first_seq: number;
  run_id: string;
  attempt: number;
  events: string;
}

/** Events after `after`, oldest first, some segments at a time; empty when there are no more. */
export async function listEvents(
  db: Queryable,
  params: {
    thread_id: string;
    run_id: string | null;
    after: number;
    segments: number;
  },
): Promise<RunEvent[]> {
  const ofRun =
    params.run_id === null ? raw("") : sql`and run_id = ${params.run_id}`;
  const rows = await db.query<SegmentRow>(sql`
    select first_seq, run_id, attempt, events from event_segments
    where thread_id = ${params.thread_id} and last_seq > ${params.after} ${ofRun}
    order by first_seq
    limit ${params.segments}`);
  return rows.flatMap(parseSegment).filter((event) => event.seq > params.after);
}

/** The newest events of a run, newest first: one segment, that before `before`. Empty when there is none. */
export async function listEventsBackwards(
  db: Queryable,
  params: { run_id: string; before: number },
): Promise<RunEvent[]> {
  const row = await first<SegmentRow>(
    db,
    sql`
      select first_seq, run_id, attempt, events from event_segments
      where run_id = ${params.run_id} and first_seq < ${params.before}
      order by first_seq desc
      limit 1`,
  );
  return row === null ? [] : parseSegment(row).reverse();
}

function parseSegment(row: SegmentRow): RunEvent[] {
  return row.events.split("\n").map((line, index) => {
    const tab = line.indexOf("\t");
    const end = line.indexOf("\t", tab + 1);
    const isTimed = end !== -1; // those of earlier versions are not
    return {
      seq: row.first_seq + index,
      run_id: row.run_id,
      attempt: row.attempt,
      event: line.slice(0, tab),
      data: isTimed ? line.slice(tab + 1, end) : line.slice(tab + 1),
      at: isTimed ? Number(line.slice(end + 1)) : 0,
    };
  });
}

/** The highest seq that the thread has given out, as far as the tables know. */
export async function lastEventSeq(
  db: Queryable,
  threadId: string,
): Promise<number> {
  const row = await first<{ last_seq: number }>(
    db,
    sql`select ${lastEventSeqOf(sql`${threadId}`)} as last_seq`,
  );
  return row?.last_seq ?? 0;
}

/** An expression for the above, null for a thread that is not there. */
export const lastEventSeqOf = (threadId: Sql): Sql => sql`(
  select max(last_seq) from (
    select event_seq as last_seq from threads where threads.thread_id = ${threadId}
    union all
    select max(last_seq) from event_segments where event_segments.thread_id = ${threadId}
  ) as seqs)`;

/** Of one run, what is not after `upTo`. */
export async function deleteSegmentsOf(
  tx: Queryable,
  { run_id, upTo }: { run_id: string; upTo: number },
): Promise<void> {
  await tx.query(sql`
    delete from event_segments
    where run_id = ${run_id} and first_seq <= ${upTo} and last_seq <= ${upTo}`);
}

/** Whether anything of the run's stream is stored. */
export async function hasSegments(
  db: Queryable,
  runId: string,
): Promise<boolean> {
  const row = await first(
    db,
    sql`select 1 as found from event_segments where run_id = ${runId} limit 1`,
  );
  return row !== null;
}

/** Segments of finished runs that are older than the retention, some at a time. Returns how many went. */
export async function deleteOldSegments(
  tx: Queryable,
  params: { olderThan: Date; limit: number },
): Promise<number> {
  const rows = await tx.query(sql`
    delete from event_segments
    where (thread_id, first_seq) in (
      select thread_id, first_seq from event_segments
      where created_at < ${params.olderThan}
        and not exists (
          select 1 from runs
          where runs.run_id = event_segments.run_id
            and (runs.q <> 'done' or runs.finished_at >= ${params.olderThan}))
      order by created_at
      limit ${params.limit})
    returning first_seq`);
  return rows.length;
}

/** The run that has streamed last, as far as it is stored. */
export async function newestStreamedRun(
  db: Queryable,
  threadId: string,
): Promise<string | null> {
  const row = await first<{ run_id: string }>(
    db,
    sql`
      select run_id from event_segments where thread_id = ${threadId}
      order by first_seq desc
      limit 1`,
  );
  return row?.run_id ?? null;
}

/** The number of the first stored event of a run; null when there is none. */
export async function firstEventSeq(
  db: Queryable,
  runId: string,
): Promise<number | null> {
  const row = await first<{ seq: number | null }>(
    db,
    sql`select min(first_seq) as seq from event_segments where run_id = ${runId}`,
  );
  return row?.seq ?? null;
}
