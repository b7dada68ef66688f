import { pageHashes } from "../lib/ref-page.ts";
import type { StoredValue, ValueRef } from "../protocol/checkpoint-frames.ts";
import type { Queryable } from "./database.ts";
import { holdRuns } from "./run-queue.ts";
import { raw, rowsOf, sql, type Sql } from "./sql.ts";

/*
 * Values by content, once per thread. The rule that reading relies on: what a
 * stored checkpoint or page refers to is stored. So pages and their elements
 * come in the same transaction, and go in the same one.
 */

/** In one statement; more would have more parameters than an engine takes. */
const INSERTED_AT_ONCE = 100;

export async function insertValues(
  tx: Queryable,
  threadId: string,
  values: readonly StoredValue[],
): Promise<void> {
  const rows = values.map((value) => ({ thread_id: threadId, ...value }));
  const inserted: Promise<unknown>[] = [];
  for (let start = 0; start < rows.length; start += INSERTED_AT_ONCE)
    inserted.push(
      tx.query(valuesInsert(rows.slice(start, start + INSERTED_AT_ONCE))),
    );
  await Promise.all(inserted);
}

/** Values that are stored already stay as they are. */
export const valuesInsert = (
  rows: readonly (StoredValue & { thread_id: string })[],
): Sql => sql`
  insert into checkpoint_values (thread_id, hash, type, data)
  values ${rowsOf(rows.map(({ thread_id, hash, type, data }) => [thread_id, hash, type, data]))}
  on conflict (thread_id, hash) do nothing`;

export async function getValues(
  db: Queryable,
  threadId: string,
  hashes: Iterable<string>,
): Promise<StoredValue[]> {
  const wanted = [...hashes];
  if (wanted.length === 0) return [];
  return db.query<StoredValue>(sql`
    select hash, type, data from checkpoint_values
    where thread_id = ${threadId} and ${db.dialect.isMember(sql`hash`, wanted)}`);
}

export async function countValues(
  db: Queryable,
  threadId: string,
  hashes: Iterable<string>,
): Promise<number> {
  const wanted = [...hashes];
  if (wanted.length === 0) return 0;
  const [row] = await db.query<{ count: number }>(sql`
    select count(*) as count from checkpoint_values
    where thread_id = ${threadId} and ${db.dialect.isMember(sql`hash`, wanted)}`);
  return row?.count ?? 0;
}

/** All that the refs need, but for what is `known`: pages, and what is in them. Null when something is missing. */
export async function resolveRefs(
  db: Queryable,
  threadId: string,
  params: { refs: Iterable<ValueRef>; known: ReadonlySet<string> },
): Promise<StoredValue[] | null> {
  const { pages, others } = splitHashes(params.refs);
  const pageRows = await getValues(db, threadId, pages);
  for (const { data } of pageRows)
    for (const hash of pageHashes(data)) others.add(hash);
  for (const hash of params.known) others.delete(hash);
  const rows = await getValues(db, threadId, others);
  const isWhole = pageRows.length === pages.size && rows.length === others.size;
  return isWhole ? [...pageRows, ...rows] : null;
}

/** The hashes that the refs name; what the pages among them need is not in there. */
export function splitHashes(refs: Iterable<ValueRef>): {
  pages: Set<string>;
  others: Set<string>;
} {
  const pages = new Set<string>();
  const others = new Set<string>();
  for (const ref of refs) {
    if ("hash" in ref) others.add(ref.hash);
    else if ("pages" in ref) for (const page of ref.pages) pages.add(page);
  }
  return { pages, others };
}

/**
 * Deletes the values that no checkpoint of the thread refers to any more. Who
 * stores a checkpoint holds its run, so that none can come to refer to one of
 * them meanwhile.
 */
export async function deleteUnusedValues(
  tx: Queryable,
  threadId: string,
): Promise<void> {
  await holdRuns(tx, threadId);
  const used = await usedHashes(tx, threadId);
  await tx.query(sql`
    delete from checkpoint_values
    where thread_id = ${threadId} and not (${tx.dialect.isMember(sql`hash`, [...used])})`);
}

async function usedHashes(
  tx: Queryable,
  threadId: string,
): Promise<Set<string>> {
  const used = new Set<string>();
  const pages = new Set<string>();
  const rows = scanCheckpoints<{ channels: Record<string, ValueRef> }>(
    tx,
    threadId,
    raw("channels"),
  );
  for await (const { channels } of rows) {
    const split = splitHashes(Object.values(channels));
    for (const page of split.pages) pages.add(page);
    for (const hash of split.others) used.add(hash);
  }
  for await (const { hash, data } of scanPages(tx, threadId, pages)) {
    used.add(hash);
    for (const element of pageHashes(data)) used.add(element);
  }
  return used;
}

/** Rows in memory at a time: about 1 MB. */
const SCANNED_AT_ONCE = 500;

export async function* scanPages(
  db: Queryable,
  threadId: string,
  pages: ReadonlySet<string>,
): AsyncGenerator<StoredValue> {
  const hashes = [...pages];
  for (let start = 0; start < hashes.length; start += SCANNED_AT_ONCE)
    yield* await getValues(
      db,
      threadId,
      hashes.slice(start, start + SCANNED_AT_ONCE),
    );
}

/** These columns of every checkpoint of the thread, a bounded number at a time. */
export async function* scanCheckpoints<Row>(
  db: Queryable,
  threadId: string,
  columns: Sql,
): AsyncGenerator<Row & { checkpoint_ns: string; checkpoint_id: string }> {
  let after = { checkpoint_ns: "", checkpoint_id: "" };
  for (;;) {
    const rows = await db.query<
      Row & { checkpoint_ns: string; checkpoint_id: string }
    >(sql`
      select checkpoint_ns, checkpoint_id, ${columns} from checkpoints
      where thread_id = ${threadId}
        and (checkpoint_ns, checkpoint_id) > (${after.checkpoint_ns}, ${after.checkpoint_id})
      order by checkpoint_ns, checkpoint_id
      limit ${SCANNED_AT_ONCE}`);
    yield* rows;
    const last = rows.at(-1);
    if (last === undefined) return;
    after = last;
  }
}
