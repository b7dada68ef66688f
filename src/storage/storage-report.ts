import type { ValueRef } from "../protocol/checkpoint-frames.ts";
import { pageHashes } from "../lib/ref-page.ts";
import { scanCheckpoints, scanPages } from "./checkpoint-values.ts";
import { first, type Queryable } from "./database.ts";
import { raw, sql } from "./sql.ts";

interface Size {
  count: number;
  bytes: number;
}

/** What a thread's checkpoints take, in bytes of content: without indexes and free space. */
export interface StorageReport {
  thread_id: string;
  total_bytes: number;
  checkpoints: Size;
  channel_values: Size & {
    /**
     * Values are stored once and may be part of several versions and channels;
     * each channel counts what it uses, so that these can be more than `bytes`.
     */
    by_channel: Record<string, { versions: number; bytes: number }>;
  };
  pending_writes: Size;
}

export async function storageReport(
  db: Queryable,
  threadId: string,
): Promise<StorageReport> {
  const rows = await sizeOfRows(db, threadId);
  const stored = await sizesOfValues(db, threadId);
  const usage = await usageByChannel(db, threadId);
  const pages = await elementsOfPages(db, threadId, usage);
  const channels = [...usage].map(
    ([channel, used]) =>
      [
        channel,
        { versions: used.versions.size, bytes: bytesOf(used, stored, pages) },
      ] as const,
  );
  const inlineBytes = sum([...usage.values()].map((used) => used.inlineBytes));
  // Small values sit in the row of their checkpoint; here they count as values.
  const checkpoints = { ...rows, bytes: rows.bytes - inlineBytes };
  const values = {
    count: sum(channels.map(([, { versions }]) => versions)),
    bytes: sum(stored.values()) + inlineBytes,
    by_channel: Object.fromEntries(channels),
  };
  const writes = await sizeOfWrites(db, threadId);
  return {
    thread_id: threadId,
    total_bytes: checkpoints.bytes + values.bytes + writes.bytes,
    checkpoints,
    channel_values: values,
    pending_writes: writes,
  };
}

interface ChannelUsage {
  /** Distinct values. */
  versions: Set<string>;
  hashes: Set<string>;
  pages: Set<string>;
  inlineBytes: number;
}

async function usageByChannel(
  db: Queryable,
  threadId: string,
): Promise<Map<string, ChannelUsage>> {
  const usage = new Map<string, ChannelUsage>();
  const rows = scanCheckpoints<{ channels: Record<string, ValueRef> }>(
    db,
    threadId,
    raw("channels"),
  );
  for await (const { checkpoint_ns, channels } of rows)
    for (const [channel, ref] of Object.entries(channels)) {
      const used = usage.get(channel) ?? {
        versions: new Set(),
        hashes: new Set(),
        pages: new Set(),
        inlineBytes: 0,
      };
      usage.set(channel, used);
      used.versions.add(JSON.stringify([checkpoint_ns, ref]));
      if ("json" in ref) used.inlineBytes += inlineBytes(ref);
      else if ("hash" in ref) used.hashes.add(ref.hash);
      else for (const page of ref.pages) used.pages.add(page);
    }
  return usage;
}

const inlineBytes = (ref: ValueRef): number =>
  Buffer.byteLength(JSON.stringify(ref));

async function elementsOfPages(
  db: Queryable,
  threadId: string,
  usage: ReadonlyMap<string, ChannelUsage>,
): Promise<Map<string, string[]>> {
  const wanted = new Set(
    [...usage.values()].flatMap(({ pages }) => [...pages]),
  );
  const elements = new Map<string, string[]>();
  for await (const { hash, data } of scanPages(db, threadId, wanted))
    elements.set(hash, pageHashes(data));
  return elements;
}

function bytesOf(
  used: ChannelUsage,
  stored: ReadonlyMap<string, number>,
  pages: ReadonlyMap<string, string[]>,
): number {
  const hashes = new Set(used.hashes);
  for (const page of used.pages) {
    hashes.add(page);
    for (const element of pages.get(page) ?? []) hashes.add(element);
  }
  return (
    used.inlineBytes + sum([...hashes].map((hash) => stored.get(hash) ?? 0))
  );
}

async function sizeOfRows(db: Queryable, threadId: string): Promise<Size> {
  const size = await first<Size>(
    db,
    sql`
      select
        count(*) as count,
        coalesce(sum(
          octet_length(cast(checkpoint as text))
          + octet_length(cast(metadata as text))
          + octet_length(cast(channels as text))), 0) as bytes
      from checkpoints where thread_id = ${threadId}`,
  );
  return size ?? { count: 0, bytes: 0 };
}

async function sizesOfValues(
  db: Queryable,
  threadId: string,
): Promise<Map<string, number>> {
  const rows = await db.query<{ hash: string; bytes: number }>(sql`
    select hash, octet_length(data) as bytes from checkpoint_values
    where thread_id = ${threadId}`);
  return new Map(rows.map(({ hash, bytes }) => [hash, bytes]));
}

async function sizeOfWrites(db: Queryable, threadId: string): Promise<Size> {
  const size = await first<Size>(
    db,
    sql`
      select count(*) as count, coalesce(sum(octet_length(data)), 0) as bytes
      from checkpoint_writes where thread_id = ${threadId}`,
  );
  return size ?? { count: 0, bytes: 0 };
}

const sum = (numbers: Iterable<number>): number =>
  [...numbers].reduce((total, number) => total + number, 0);
