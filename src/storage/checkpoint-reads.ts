import type {
  CheckpointQuery,
  CheckpointRecord,
  CheckpointRequests,
  StoredCheckpoint,
  StoredValue,
} from "../protocol/checkpoint-frames.ts";
import { resolveRefs } from "./checkpoint-values.ts";
import { listPendingWrites } from "./checkpoint-writes.ts";
import type { Queryable } from "./database.ts";
import { and, sql, type Sql } from "./sql.ts";

export type CheckpointPage = CheckpointRequests["checkpoint.read"]["result"];

/** A bound for whoever names none. */
const DEFAULT_LIMIT = 20;

/** An answer stays well below the size of a frame, unless a single checkpoint is larger. */
const MAX_ANSWER_BYTES = 32 * 1024 * 1024;

/** Newest first, at least one if there is any, perhaps fewer than `limit`. */
export function readCheckpoints(
  db: Queryable,
  query: CheckpointQuery & { known?: string[] },
): Promise<CheckpointPage> {
  const known = new Set(query.known);
  return untilWhole(async () => {
    const records = await listRecords(db, query);
    for (let count = records.length; ; count = Math.ceil(count / 2)) {
      const page = await complete(db, records.slice(0, count), known);
      if (page === null || count <= 1 || isSmall(page)) return page;
    }
  });
}

const isSmall = ({ values }: CheckpointPage): boolean =>
  values.reduce((sum, { data }) => sum + data.length, 0) <= MAX_ANSWER_BYTES;

const MAX_ATTEMPTS = 5;

/**
 * For reads of several statements, which see several moments: null says that
 * something was deleted in between. What is there then is whole again.
 */
export async function untilWhole<T>(read: () => Promise<T | null>): Promise<T> {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
    const whole = await read();
    if (whole !== null) return whole;
  }
  throw new Error("values that a checkpoint refers to are not in the database");
}

async function listRecords(
  db: Queryable,
  query: CheckpointQuery,
): Promise<CheckpointRecord[]> {
  return db.query<CheckpointRecord>(sql`
    select thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, checkpoint, metadata, channels
    from checkpoints
    where ${and(conditions(db, query))}
    order by checkpoint_id desc, checkpoint_ns, thread_id
    limit ${query.limit ?? DEFAULT_LIMIT}`);
}

function conditions(db: Queryable, query: CheckpointQuery): Sql[] {
  const all: Sql[] = [];
  if (query.thread_id !== undefined)
    all.push(sql`thread_id = ${query.thread_id}`);
  if (query.checkpoint_ns !== undefined)
    all.push(sql`checkpoint_ns = ${query.checkpoint_ns}`);
  if (query.checkpoint_id !== undefined)
    all.push(sql`checkpoint_id = ${query.checkpoint_id}`);
  if (query.before !== undefined)
    all.push(sql`checkpoint_id < ${query.before}`);
  if (query.filter !== undefined)
    all.push(db.dialect.jsonContains(sql`metadata`, query.filter));
  return all;
}

/** Null when a value is missing. */
async function complete(
  db: Queryable,
  records: readonly CheckpointRecord[],
  known: ReadonlySet<string>,
): Promise<CheckpointPage | null> {
  const completed = withWrites(db, records);
  completed.catch(() => {}); // told below, unless something fails before
  const values = new Map<string, StoredValue>();
  for (const [thread, ...rest] of grouped(records, (record) => [
    record.thread_id,
  ])) {
    const refs = [thread, ...rest].flatMap(({ channels }) =>
      Object.values(channels),
    );
    const found = await resolveRefs(db, thread.thread_id, { refs, known });
    if (found === null) return null;
    for (const value of found) values.set(value.hash, value);
  }
  return {
    checkpoints: await completed,
    values: [...values.values()],
  };
}

async function withWrites(
  db: Queryable,
  records: readonly CheckpointRecord[],
): Promise<StoredCheckpoint[]> {
  const found = new Map<CheckpointRecord, StoredCheckpoint>();
  const groups = grouped(records, (record) => [
    record.thread_id,
    record.checkpoint_ns,
  ]);
  for (const group of groups) {
    const { thread_id, checkpoint_ns } = group[0];
    const writes = await listPendingWrites(db, {
      thread_id,
      checkpoint_ns,
      checkpointIds: group.map(({ checkpoint_id }) => checkpoint_id),
    });
    for (const record of group)
      found.set(record, {
        record,
        writes: writes.get(record.checkpoint_id) ?? [],
      });
  }
  return records.map((record) => found.get(record) ?? { record, writes: [] });
}

function grouped(
  records: readonly CheckpointRecord[],
  keyOf: (record: CheckpointRecord) => string[],
): [CheckpointRecord, ...CheckpointRecord[]][] {
  const groups = new Map<string, [CheckpointRecord, ...CheckpointRecord[]]>();
  for (const record of records) {
    const key = JSON.stringify(keyOf(record));
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [record]);
    else group.push(record);
  }
  return [...groups.values()];
}
