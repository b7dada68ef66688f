import { pino } from "pino";
import { afterEach, beforeEach, expect, it } from "vitest";
import { ANONYMOUS } from "../../src/auth/caller.ts";
import { sweepThreads } from "../../src/engine/thread-expiry.ts";
import { uuid7 } from "../../src/lib/uuid.ts";
import { createCron } from "../../src/services/crons.ts";
import { threadCronCreate } from "../../src/model/cron-requests.ts";
import type { TtlStrategy } from "../../src/model/thread.ts";
import { CHANNELS } from "../../src/storage/channels.ts";
import { writeCheckpoint } from "../../src/storage/checkpoints.ts";
import { raw, sql } from "../../src/storage/sql.ts";
import {
  getThreadTtl,
  insertThread,
  patchThread,
} from "../../src/storage/threads.ts";
import { openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { openRunQueue, type RunQueue } from "../support/run-queue.ts";
import { stagedUpdate } from "../support/threads.ts";

let opened: TestDatabase;
let queue: RunQueue;

beforeEach(async () => {
  opened = await openTestDatabase();
  queue = await openRunQueue(opened.database);
});

afterEach(() => opened.close());

interface Options {
  strategy?: TtlStrategy;
  /** How long ago it expired; less than 0 is later. */
  minutesAgo?: number;
  checkpoints?: number;
}

/** A thread that has an hour. */
async function thread({
  strategy = "delete",
  minutesAgo = 1,
  checkpoints = 0,
}: Options = {}): Promise<string> {
  const thread_id = uuid7();
  const ttl = { strategy, ttl_minutes: 60 };
  await opened.database.transaction(async (tx) => {
    await insertThread(tx, { thread_id, metadata: {}, ttl });
    for (let index = 0; index < checkpoints; index += 1)
      for (const write of stagedUpdate(thread_id).writes)
        await writeCheckpoint(tx, write, null);
  });
  await expire(thread_id, minutesAgo);
  return thread_id;
}

const expire = (threadId: string, minutesAgo = 1) =>
  opened.database.transaction((tx) =>
    tx.query(
      sql`update threads set expires_at = ${new Date(Date.now() - minutesAgo * 60_000)} where thread_id = ${threadId}`,
    ),
  );

const sweep = (limit = 1000, signal = new AbortController().signal) =>
  sweepThreads(
    { database: opened.database, log: pino({ level: "silent" }) },
    limit,
    signal,
  );

const rowsOf = async (table: string, threadId: string): Promise<number> => {
  const rows = await opened.database.query(
    sql`select thread_id from ${raw(table)} where thread_id = ${threadId}`,
  );
  return rows.length;
};

const left = async (threads: string[]): Promise<string[]> => {
  const there: string[] = [];
  for (const id of threads)
    if ((await rowsOf("threads", id)) > 0) there.push(id);
  return there;
};

const ttlOf = (threadId: string) =>
  getThreadTtl(opened.database, threadId, null);

it("a thread that has expired goes, with all that is of it and nothing that is of another", async () => {
  const gone = await thread({ checkpoints: 2 });
  const later = await thread({ checkpoints: 2, minutesAgo: -1 });
  const ever = await queue.thread();
  const told: string[] = [];
  const stop = opened.database.listen(CHANNELS.deleted, (id) => {
    told.push(id);
  });
  const cron = threadCronCreate.parse({
    schedule: "0 0 1 1 *",
    assistant_id: "agent",
  });
  for (const thread_id of [gone, later])
    await createCron(queue.deps, ANONYMOUS, { thread_id, request: cron });
  await sweep();
  expect(await left([gone, later, ever])).toEqual([later, ever]);
  for (const table of ["checkpoints", "crons"]) {
    expect([table, await rowsOf(table, gone)]).toEqual([table, 0]);
    expect(await rowsOf(table, later)).toBeGreaterThan(0);
  }
  await expect.poll(() => told).toEqual([gone]);
  stop();
});

it("of a thread that keeps its latest checkpoint the others go, once, until it changes again", async () => {
  const kept = await thread({ strategy: "keep_latest", checkpoints: 4 });
  await sweep();
  expect(await rowsOf("checkpoints", kept)).toBe(1);
  expect(await ttlOf(kept)).toEqual({
    strategy: "keep_latest",
    ttl_minutes: 60,
    expires_at: null,
  });
  await opened.database.transaction((tx) =>
    patchThread(tx, kept, null, { metadata: { a: 1 }, ttl: null }),
  );
  const { expires_at } = (await ttlOf(kept)) ?? {};
  expect(Date.parse(expires_at ?? "")).toBeGreaterThan(Date.now());
});

it("a thread with a run that has not ended does not expire; the end of the run gives it all its time again", async () => {
  const thread_id = await thread();
  await queue.enqueue(thread_id);
  await expire(thread_id);
  await sweep();
  expect(await left([thread_id])).toEqual([thread_id]);
  const [run] = await queue.claim(await queue.instance());
  if (run === undefined) throw new Error("nothing was claimed");
  await queue.finish(run);
  await sweep();
  expect(await left([thread_id])).toEqual([thread_id]);
  await expire(thread_id);
  await sweep();
  expect(await left([thread_id])).toEqual([]);
});

it("a sweep takes as many as it may, the longest expired first, and the next one goes on", async () => {
  const threads: string[] = [];
  for (let index = 0; index < 12; index += 1)
    threads.push(await thread({ minutesAgo: 20 - index }));
  await sweep(5);
  expect(await left(threads)).toEqual(threads.slice(5));
  await sweep(5);
  await sweep(5);
  expect(await left(threads)).toEqual([]);
});

it("two sweeps at once do the work of one", async () => {
  const threads: string[] = [];
  for (let index = 0; index < 40; index += 1)
    threads.push(
      await thread({
        strategy: index % 2 === 0 ? "delete" : "keep_latest",
        checkpoints: 2,
      }),
    );
  await Promise.all([sweep(), sweep()]);
  const odd = threads.filter((_, index) => index % 2 === 1);
  expect(await left(threads)).toEqual(odd);
  for (const id of odd) expect(await rowsOf("checkpoints", id)).toBe(1);
});

it("a sweep whose duty is lost stops, and leaves the rest", async () => {
  const threads = [await thread(), await thread()];
  await sweep(1000, AbortSignal.abort());
  expect(await left(threads)).toEqual(threads);
});
