import { pageHashes } from "../../src/lib/ref-page.ts";
import type { ValueRef } from "../../src/protocol/checkpoint-frames.ts";
import type { Queryable } from "../../src/storage/database.ts";
import { raw } from "../../src/storage/sql.ts";

/** Checkpoints and pages that refer to values which are not stored. */
export async function missingValues(db: Queryable): Promise<string[]> {
  const stored = await db.query<{
    thread_id: string;
    hash: string;
    type: string;
    data: Uint8Array;
  }>(raw("select thread_id, hash, type, data from checkpoint_values"));
  const known = new Set(stored.map(({ thread_id, hash }) => thread_id + hash));
  const problems: string[] = [];
  const need = (thread_id: string, hashes: string[], who: string) => {
    for (const hash of hashes)
      if (!known.has(thread_id + hash))
        problems.push(`${who} of thread ${thread_id} lacks the value ${hash}`);
  };
  for (const { thread_id, hash, type, data } of stored)
    if (type === "page") need(thread_id, pageHashes(data), `page ${hash}`);

  const checkpoints = await db.query<{
    thread_id: string;
    checkpoint_id: string;
    channels: Record<string, ValueRef>;
  }>(raw("select thread_id, checkpoint_id, channels from checkpoints"));
  for (const { thread_id, checkpoint_id, channels } of checkpoints)
    for (const ref of Object.values(channels))
      need(thread_id, hashesOf(ref), `checkpoint ${checkpoint_id}`);
  return problems;
}

const hashesOf = (ref: ValueRef): string[] =>
  "hash" in ref ? [ref.hash] : "pages" in ref ? ref.pages : [];
