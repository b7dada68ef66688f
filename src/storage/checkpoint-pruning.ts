import type { JsonObject } from "../lib/json.ts";
import { deleteUnusedValues, scanCheckpoints } from "./checkpoint-values.ts";
import { first, type Queryable } from "./database.ts";
import { EMPTY, raw, sql } from "./sql.ts";

/*
 * Deleting a part of a thread's checkpoints. LangGraph rebuilds a delta
 * channel from the ancestors of a checkpoint, so those that a kept checkpoint
 * needs stay, with their pending writes and values.
 */

/** Keeps the newest checkpoint of each namespace and what it needs. */
export async function pruneCheckpoints(
  tx: Queryable,
  threadId: string,
): Promise<void> {
  const newest = await listNewestIds(tx, threadId);
  const ancestors = await neededAncestors(tx, threadId, ({ checkpoint_id }) =>
    newest.has(checkpoint_id),
  );
  const deleted = await deleteRecords(tx, threadId, {
    run_id: null,
    kept: [...newest, ...ancestors],
  });
  await deleteWritesTo(tx, threadId, deleted);
  await deleteUnusedValues(tx, threadId);
}

/**
 * What the run made: its checkpoints, and its pending writes to checkpoints of
 * earlier runs, so that the thread is as it was before if the run was the
 * newest. What checkpoints of later runs need of it stays.
 */
export async function deleteRunCheckpoints(
  tx: Queryable,
  threadId: string,
  runId: string,
): Promise<void> {
  const ancestors = await neededAncestors(
    tx,
    threadId,
    ({ run_id }) => run_id !== runId,
  );
  const kept = [...ancestors];
  const deleted = await deleteRecords(tx, threadId, { run_id: runId, kept });
  await deleteWritesTo(tx, threadId, deleted);
  await tx.query(sql`
    delete from checkpoint_writes
    where thread_id = ${threadId} and run_id = ${runId}
      and not (${tx.dialect.isMember(sql`checkpoint_id`, kept)})`);
  await deleteUnusedValues(tx, threadId);
}

async function listNewestIds(
  db: Queryable,
  threadId: string,
): Promise<Set<string>> {
  const rows = await db.query<{ checkpoint_id: string }>(sql`
    select max(checkpoint_id) as checkpoint_id from checkpoints
    where thread_id = ${threadId}
    group by checkpoint_ns`);
  return new Set(rows.map((row) => row.checkpoint_id));
}

interface CheckpointRow {
  checkpoint_ns: string;
  checkpoint_id: string;
  parent_checkpoint_id: string | null;
  run_id: string | null;
  metadata: JsonObject;
  channels: JsonObject;
}

interface Node {
  key: string;
  checkpoint_id: string;
  parent: string | null;
  isKept: boolean;
  holds: ReadonlySet<string>;
  /** Channels that have to be rebuilt from ancestors. */
  lacks: readonly string[];
}

/** LangGraph counts here, per delta channel, the steps since its value was last stored whole. */
const COUNTERS = "counters_since_delta_snapshot";

/** Ids of the checkpoints from which delta channels of the kept ones are rebuilt. */
async function neededAncestors(
  db: Queryable,
  threadId: string,
  isKept: (row: CheckpointRow) => boolean,
): Promise<Set<string>> {
  const needed = new Set<string>();
  if (!(await hasDeltaChannels(db, threadId))) return needed;
  const nodes = await loadNodes(db, threadId, isKept);
  const seen = new Set<string>();
  for (const node of nodes.values()) {
    if (!node.isKept) continue;
    for (const channel of node.lacks)
      for (const ancestor of ancestorsUpTo(nodes, node, channel)) {
        const step = JSON.stringify([channel, ancestor.key]);
        if (seen.has(step)) break; // another checkpoint has been here, and went on to the end
        seen.add(step);
        needed.add(ancestor.checkpoint_id);
      }
  }
  return needed;
}

/** The nearest first; the last is the one that holds a value of the channel. */
function* ancestorsUpTo(
  nodes: ReadonlyMap<string, Node>,
  node: Node,
  channel: string,
): Generator<Node> {
  for (let key = node.parent; key !== null;) {
    const ancestor = nodes.get(key);
    if (ancestor === undefined) return;
    yield ancestor;
    key = ancestor.holds.has(channel) ? null : ancestor.parent;
  }
}

async function hasDeltaChannels(
  db: Queryable,
  threadId: string,
): Promise<boolean> {
  const row = await first(
    db,
    sql`
      select 1 as found from checkpoints
      where thread_id = ${threadId} and cast(metadata as text) like ${`%"${COUNTERS}"%`}
      limit 1`,
  );
  return row !== null;
}

async function loadNodes(
  db: Queryable,
  threadId: string,
  isKept: (row: CheckpointRow) => boolean,
): Promise<Map<string, Node>> {
  const nodes = new Map<string, Node>();
  const rows = scanCheckpoints<CheckpointRow>(
    db,
    threadId,
    raw("parent_checkpoint_id, run_id, metadata, channels"),
  );
  for await (const row of rows) {
    const keyOf = (id: string) => JSON.stringify([row.checkpoint_ns, id]);
    const holds = new Set(Object.keys(row.channels));
    const parentId = row.parent_checkpoint_id;
    nodes.set(keyOf(row.checkpoint_id), {
      key: keyOf(row.checkpoint_id),
      checkpoint_id: row.checkpoint_id,
      parent: parentId === null ? null : keyOf(parentId),
      isKept: isKept(row),
      holds,
      lacks: Object.keys(row.metadata[COUNTERS] ?? {}).filter(
        (channel) => !holds.has(channel),
      ),
    });
  }
  return nodes;
}

/** Those of one run, or of the whole thread, but for the ids in `kept`. Answers with the ids that are gone. */
async function deleteRecords(
  tx: Queryable,
  threadId: string,
  which: { run_id: string | null; kept: readonly string[] },
): Promise<string[]> {
  const rows = await tx.query<{ checkpoint_id: string }>(sql`
    delete from checkpoints
    where thread_id = ${threadId}
      ${which.run_id === null ? EMPTY : sql`and run_id = ${which.run_id}`}
      and not (${tx.dialect.isMember(sql`checkpoint_id`, which.kept)})
    returning checkpoint_id`);
  return rows.map((row) => row.checkpoint_id);
}

async function deleteWritesTo(
  tx: Queryable,
  threadId: string,
  checkpointIds: readonly string[],
): Promise<void> {
  await tx.query(sql`
    delete from checkpoint_writes
    where thread_id = ${threadId} and ${tx.dialect.isMember(sql`checkpoint_id`, checkpointIds)}`);
}
