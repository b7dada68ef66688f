import type { CheckpointWrite } from "../protocol/checkpoint-frames.ts";
import { valuesInsert } from "./checkpoint-values.ts";
import { writesInsert, type PendingWriteRow } from "./checkpoint-writes.ts";
import { asksAgain, neededHashes, recordsPut } from "./checkpoints.ts";
import type { Part } from "./database.ts";
import type { Dialect } from "./dialect.ts";
import { sql } from "./sql.ts";

/** More is stored statement by statement: an engine takes only so many parameters. */
const MAX_ROWS = 500;

/**
 * What a run stores, as parts of one write; the fence is the caller's part. Null
 * when it has to be done statement by statement: answers and questions, which
 * take the place of others, and what is very much.
 */
export function checkpointParts(
  dialect: Dialect,
  runId: string,
  writes: readonly CheckpointWrite[],
): Part[] | null {
  const pending = pendingOf(writes, runId);
  const puts = writes.filter((write) => write.kind === "put");
  const values = puts.flatMap(({ record: { thread_id }, values: sent }) =>
    sent.map((value) => ({ thread_id, ...value })),
  );
  const rows = pending.length + puts.length + values.length;
  const replaces = writes.some(
    (write) => write.kind === "writes" && asksAgain(write.writes),
  );
  if (replaces || pending.some(({ idx }) => idx < 0) || rows > MAX_ROWS)
    return null;
  const records = new Map(
    puts.map(({ record }) => [
      JSON.stringify([
        record.thread_id,
        record.checkpoint_ns,
        record.checkpoint_id,
      ]),
      record,
    ]),
  );
  const parts = neededParts(dialect, puts);
  if (values.length > 0) parts.push({ statement: valuesInsert(values) });
  if (records.size > 0)
    parts.push({
      statement: recordsPut(dialect, [...records.values()], runId),
    });
  if (pending.length > 0) parts.push({ statement: writesInsert(pending) });
  return parts;
}

const pendingOf = (
  writes: readonly CheckpointWrite[],
  run_id: string,
): PendingWriteRow[] =>
  writes.flatMap((write) =>
    write.kind === "put"
      ? []
      : write.writes.map((pending) => ({
          thread_id: write.thread_id,
          checkpoint_ns: write.checkpoint_ns,
          checkpoint_id: write.checkpoint_id,
          ...pending,
          run_id,
        })),
  );

/**
 * The values that are referred to without having been sent must be there. They
 * are locked, for so one sees whether somebody has just deleted them.
 */
function neededParts(
  { isMember, keyShare }: Dialect,
  puts: readonly (CheckpointWrite & { kind: "put" })[],
): Part[] {
  const sent = new Map<string, Set<string>>();
  const needed = new Map<string, Set<string>>();
  for (const { record, values } of puts) {
    const { thread_id } = record;
    const known = sent.get(thread_id) ?? new Set();
    const missing = needed.get(thread_id) ?? new Set();
    for (const hash of neededHashes(record, values))
      if (!known.has(hash)) missing.add(hash);
    for (const { hash } of values) known.add(hash);
    sent.set(thread_id, known);
    needed.set(thread_id, missing);
  }
  return [...needed]
    .filter(([, hashes]) => hashes.size > 0)
    .map(([threadId, hashes]) => ({
      needs: hashes.size,
      statement: sql`
        select hash from checkpoint_values
        where thread_id = ${threadId} and ${isMember(sql`hash`, [...hashes])} ${keyShare}`,
    }));
}
