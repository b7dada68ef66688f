import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ANONYMOUS } from "../../src/auth/caller.ts";
import { uuid7 } from "../../src/lib/uuid.ts";
import { threadPrune } from "../../src/model/thread-requests.ts";
import {
  deleteThread,
  pruneThreads,
} from "../../src/services/thread-delete.ts";
import { CHANNELS } from "../../src/storage/channels.ts";
import { writeCheckpoint } from "../../src/storage/checkpoints.ts";
import { raw, sql } from "../../src/storage/sql.ts";
import { getThread } from "../../src/storage/threads.ts";
import {
  drivers,
  openTestDatabase,
  type TestDatabase,
} from "../support/databases.ts";
import { insertRunRow, newThread, stagedUpdate } from "../support/threads.ts";

const TABLES = [
  "threads",
  "runs",
  "checkpoints",
  "checkpoint_values",
  "checkpoint_writes",
];

describe.each(drivers())("deleting and pruning threads on $name", (driver) => {
  let db: TestDatabase;
  beforeAll(async () => void (db = await openTestDatabase(driver)));
  afterAll(() => db.close());

  const remove = (threadId: string, caller = ANONYMOUS) =>
    deleteThread({ database: db.database }, caller, threadId);
  const prune = (body: object, caller = ANONYMOUS) =>
    pruneThreads({ database: db.database }, caller, threadPrune.parse(body));
  const isThere = async (threadId: string) =>
    (await getThread(db.database, threadId, null)) !== null;
  const rowsOf = async (table: string, threadId: string) =>
    (
      await db.database.query(
        sql`select * from ${raw(table)} where thread_id = ${threadId}`,
      )
    ).length;

  const withCheckpoints = async (howMany: number) => {
    const { thread_id } = await newThread(db.database);
    for (let index = 0; index < howMany; index += 1)
      await db.database.transaction(async (tx) => {
        for (const write of stagedUpdate(thread_id).writes)
          await writeCheckpoint(tx, write, null);
      });
    return thread_id;
  };

  test("everything of the thread goes, and nothing of another", async () => {
    const [gone, kept] = [await withCheckpoints(2), await withCheckpoints(2)];
    await insertRunRow(db.database, gone, "done");
    await insertRunRow(db.database, kept, "done");
    await remove(gone);
    for (const table of TABLES) expect(await rowsOf(table, gone)).toBe(0);
    expect(await isThere(kept)).toBe(true);
    expect(await rowsOf("checkpoints", kept)).toBe(2);
    expect(await rowsOf("runs", kept)).toBe(1);
  });

  test("a missing, a hidden and a deleted thread are not found", async () => {
    const { thread_id } = await newThread(db.database, {
      metadata: { owner: "ada" },
    });
    const message = `Thread with ID ${thread_id} not found`;
    await expect(remove(uuid7())).rejects.toMatchObject({ code: "not_found" });
    await expect(
      remove(thread_id, { access: { owner: "eve" } }),
    ).rejects.toMatchObject({ message });
    expect(await isThere(thread_id)).toBe(true);
    await remove(thread_id, { access: { owner: "ada" } });
    await expect(remove(thread_id)).rejects.toMatchObject({ message });
  });

  test("a running run is told to stop while its row is still there to say so", async () => {
    const { thread_id } = await newThread(db.database);
    const running = await insertRunRow(db.database, thread_id, "running");
    const behind = await insertRunRow(db.database, thread_id, "behind");
    const told: [string, unknown[]][] = [];
    const finished: string[] = [];
    const looks: Promise<unknown>[] = [];
    db.database.listen(CHANNELS.cancels, (run_id) =>
      looks.push(
        db.database
          .query(
            sql`select cancel, cancel_reason from runs where run_id = ${run_id}`,
          )
          .then((rows) => told.push([run_id, rows])),
      ),
    );
    db.database.listen(CHANNELS.finished, (run_id) => finished.push(run_id));
    await remove(thread_id);
    await Promise.all(looks);
    expect(told).toEqual([
      [
        running,
        [{ cancel: "interrupt", cancel_reason: "the thread was deleted" }],
      ],
    ]);
    expect(finished.sort()).toEqual([running, behind].sort());
    expect(await isThere(thread_id)).toBe(false);
    expect(await rowsOf("runs", thread_id)).toBe(0);
  });

  test("a delete that meets another one of the same thread fails cleanly", async () => {
    const { thread_id } = await newThread(db.database);
    const outcomes = await Promise.allSettled([
      remove(thread_id),
      remove(thread_id),
    ]);
    expect(outcomes.map((one) => one.status).sort()).toEqual([
      "fulfilled",
      "rejected",
    ]);
  });

  test("pruning deletes what is there and counts it once", async () => {
    const [a, b] = [await withCheckpoints(1), await withCheckpoints(1)];
    const kept = await withCheckpoints(1);
    expect(
      await prune({ thread_ids: [a, b, a, a.toUpperCase(), uuid7()] }),
    ).toBe(2);
    expect(await isThere(a)).toBe(false);
    expect(await isThere(kept)).toBe(true);
    expect(await prune({ thread_ids: [a, b] })).toBe(0);
    expect(await prune({ thread_ids: [] })).toBe(0);
  });

  test("pruning many threads at once gets all of them", async () => {
    const thread_ids = await Promise.all(
      Array.from(
        { length: 120 },
        async () => (await newThread(db.database)).thread_id,
      ),
    );
    expect(await prune({ thread_ids })).toBe(120);
  });

  test("keep_latest keeps the thread and its newest checkpoint", async () => {
    const thread_id = await withCheckpoints(3);
    const before = await getThread(db.database, thread_id, null);
    expect(
      await prune({
        thread_ids: [thread_id, uuid7(), thread_id],
        strategy: "keep_latest",
      }),
    ).toBe(1);
    expect(await getThread(db.database, thread_id, null)).toEqual(before);
    expect(await rowsOf("checkpoints", thread_id)).toBe(1);
  });

  test("keep_latest leaves a thread with an unfinished run alone and does not count it", async () => {
    for (const q of ["running", "ready", "behind"] as const) {
      const thread_id = await withCheckpoints(3);
      await insertRunRow(db.database, thread_id, q);
      expect(
        await prune({ thread_ids: [thread_id], strategy: "keep_latest" }),
      ).toBe(0);
      expect(await rowsOf("checkpoints", thread_id)).toBe(3);
    }
  });

  test("pruning passes over threads that the caller may not see", async () => {
    const { thread_id } = await newThread(db.database, {
      metadata: { owner: "ada" },
    });
    const eve = { access: { owner: "eve" } };
    for (const strategy of ["delete", "keep_latest"])
      expect(await prune({ thread_ids: [thread_id], strategy }, eve)).toBe(0);
    expect(await isThere(thread_id)).toBe(true);
  });
});
