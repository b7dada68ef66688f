import type {
  CheckpointRequests,
  PendingWriteRecord,
  ValueRef,
} from "../protocol/checkpoint-frames.ts";
import { untilWhole } from "./checkpoint-reads.ts";
import { resolveRefs } from "./checkpoint-values.ts";
import { listPendingWrites } from "./checkpoint-writes.ts";
import type { Queryable } from "./database.ts";
import { EMPTY, sql } from "./sql.ts";

type Query = CheckpointRequests["checkpoint.deltaHistory"]["params"];
type History = CheckpointRequests["checkpoint.deltaHistory"]["result"];

/** Ancestors read at a time: a snapshot is usually nearer than the root. */
const FIRST_STRIDE = 64;
const MAX_STRIDE = 1024;

interface Ancestor {
  checkpoint_id: string;
  parent_checkpoint_id: string | null;
  channels: Record<string, ValueRef>;
}

/**
 * What LangGraph rebuilds a delta channel from: the value at the nearest
 * ancestor that holds one, and the writes from there on, those of that
 * ancestor too, oldest first. The writes of the checkpoint itself belong to
 * the next step. Only parents count, so other branches of a fork do not.
 */
export function readDeltaHistory(
  db: Queryable,
  query: Query,
): Promise<History> {
  return untilWhole(async () => {
    const { seeds, spans } = await walk(db, query);
    const refs = [...seeds.values()];
    const known = new Set<string>();
    const values = await resolveRefs(db, query.thread_id, { refs, known });
    if (values === null) return null;
    const writes = await writesOf(db, query, spans);
    const channels = query.channels.map(
      (channel) =>
        [
          channel,
          {
            seed: seeds.get(channel) ?? null,
            writes: writes.get(channel) ?? [],
          },
        ] as const,
    );
    return { channels: Object.fromEntries(channels), values };
  });
}

interface Walk {
  seeds: Map<string, ValueRef>;
  /** Per channel the ancestors up to the one that holds its value, nearest first. */
  spans: Map<string, string[]>;
}

async function walk(db: Queryable, query: Query): Promise<Walk> {
  const open = new Set(query.channels);
  const result: Walk = { seeds: new Map(), spans: new Map() };
  for (const channel of open) result.spans.set(channel, []);
  let from = await parentOf(db, query);
  for (let stride = FIRST_STRIDE; from !== null && open.size > 0;) {
    const ancestors = await listAncestors(db, query, { from, stride });
    for (const ancestor of ancestors) visit(ancestor, open, result);
    from = ancestors.at(-1)?.parent_checkpoint_id ?? null;
    stride = Math.min(stride * 2, MAX_STRIDE);
  }
  return result;
}

function visit(ancestor: Ancestor, open: Set<string>, result: Walk): void {
  for (const channel of open) {
    result.spans.get(channel)?.push(ancestor.checkpoint_id);
    const seed = ancestor.channels[channel];
    if (seed === undefined) continue;
    result.seeds.set(channel, seed);
    open.delete(channel);
  }
}

async function parentOf(db: Queryable, query: Query): Promise<string | null> {
  const [row] = await db.query<{ parent_checkpoint_id: string | null }>(sql`
    select parent_checkpoint_id from checkpoints
    where thread_id = ${query.thread_id} and checkpoint_ns = ${query.checkpoint_ns}
      ${query.checkpoint_id === undefined ? EMPTY : sql`and checkpoint_id = ${query.checkpoint_id}`}
    order by checkpoint_id desc
    limit 1`);
  return row?.parent_checkpoint_id ?? null;
}

/**
 * `from` and its ancestors, nearest first. Cross joins, because SQLite keeps
 * their order: each step then looks one id up by the primary key, where a
 * plain join reads the whole namespace at each step.
 */
async function listAncestors(
  db: Queryable,
  { thread_id, checkpoint_ns }: Query,
  { from, stride }: { from: string; stride: number },
): Promise<Ancestor[]> {
  return db.query<Ancestor>(sql`
    with recursive chain (checkpoint_id, depth) as (
      select checkpoint_id, 1 from checkpoints
      where thread_id = ${thread_id} and checkpoint_ns = ${checkpoint_ns} and checkpoint_id = ${from}
      union all
      select c.parent_checkpoint_id, chain.depth + 1
      from chain cross join checkpoints c
      where c.thread_id = ${thread_id} and c.checkpoint_ns = ${checkpoint_ns}
        and c.checkpoint_id = chain.checkpoint_id
        and c.parent_checkpoint_id is not null and chain.depth < ${stride}
    )
    select c.checkpoint_id, c.parent_checkpoint_id, c.channels
    from chain cross join checkpoints c
    where c.thread_id = ${thread_id} and c.checkpoint_ns = ${checkpoint_ns}
      and c.checkpoint_id = chain.checkpoint_id
    order by chain.depth`);
}

async function writesOf(
  db: Queryable,
  query: Query,
  spans: Walk["spans"],
): Promise<Map<string, PendingWriteRecord[]>> {
  const checkpointIds = [...new Set([...spans.values()].flat())];
  const stored = await listPendingWrites(db, { ...query, checkpointIds });
  const byChannel = new Map<string, PendingWriteRecord[]>();
  for (const [channel, span] of spans)
    byChannel.set(
      channel,
      span
        .toReversed()
        .flatMap((checkpointId) =>
          (stored.get(checkpointId) ?? []).filter(
            (write) => write.channel === channel,
          ),
        ),
    );
  return byChannel;
}
