import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ANONYMOUS } from "../../src/auth/caller.ts";
import { uuid7 } from "../../src/lib/uuid.ts";
import { copyThread } from "../../src/services/thread-copy.ts";
import { deleteThread } from "../../src/services/thread-delete.ts";
import { requireThread } from "../../src/services/threads.ts";
import { writeCheckpoint } from "../../src/storage/checkpoints.ts";
import { sql } from "../../src/storage/sql.ts";
import { getThread, setThreadSnapshot } from "../../src/storage/threads.ts";
import {
  drivers,
  openTestDatabase,
  type TestDatabase,
} from "../support/databases.ts";
import {
  deps,
  insertRunRow,
  newThread,
  stagedUpdate,
} from "../support/threads.ts";

describe.each(drivers())("copying a thread on $name", (driver) => {
  let db: TestDatabase;
  beforeAll(async () => void (db = await openTestDatabase(driver)));
  afterAll(() => db.close());

  const copy = (threadId: string, caller = ANONYMOUS) =>
    copyThread(deps(db.database), caller, threadId);
  const checkpoints = (threadId: string) =>
    db.database.query<{ checkpoint_id: string; metadata: object }>(
      sql`select checkpoint_id, metadata from checkpoints where thread_id = ${threadId} order by checkpoint_id`,
    );

  const source = async () => {
    const { thread_id } = await newThread(db.database, {
      metadata: { a: 1, graph_id: "g" },
    });
    await db.database.transaction(async (tx) => {
      for (const write of stagedUpdate(thread_id).writes)
        await writeCheckpoint(tx, write, null);
      await setThreadSnapshot(tx, thread_id, {
        status: "interrupted",
        snapshot: {
          values: { x: 1 },
          next: ["n"],
          interrupts: { t: [{ id: "i", value: 1 }] },
        },
        error: null,
      });
    });
    return thread_id;
  };

  test("takes over metadata, values and interrupts, and is idle", async () => {
    const from = await source();
    const made = await copy(from);
    expect(made.thread_id).not.toBe(from);
    expect(made).toMatchObject({
      metadata: { a: 1, graph_id: "g", thread_id: made.thread_id },
      status: "idle",
      config: {},
      values: { x: 1 },
      interrupts: { t: [{ id: "i", value: 1 }] },
      error: null,
      updated_at: made.created_at,
      state_updated_at: made.created_at,
    });
    expect(await getThread(db.database, made.thread_id, null)).toEqual(made);
  });

  test("has the same checkpoints, under its own id, and no runs", async () => {
    const from = await source();
    await insertRunRow(db.database, from, "done");
    const { thread_id } = await copy(from);
    const [of, copied] = [
      await checkpoints(from),
      await checkpoints(thread_id),
    ];
    expect(copied.map((row) => row.checkpoint_id)).toEqual(
      of.map((row) => row.checkpoint_id),
    );
    expect(copied[0]?.metadata).toEqual({ ...of[0]?.metadata, thread_id });
    const runs = await db.database.query(
      sql`select 1 from runs where thread_id = ${thread_id}`,
    );
    expect(runs).toEqual([]);
  });

  test("lives on without its source", async () => {
    const from = await source();
    const made = await copy(from);
    await deleteThread({ database: db.database }, ANONYMOUS, from);
    expect(await checkpoints(made.thread_id)).toHaveLength(1);
    expect(
      await requireThread(deps(db.database), ANONYMOUS, made.thread_id),
    ).toEqual(made);
  });

  test("gets the time to live of a new thread", async () => {
    const { thread_id } = await newThread(db.database, { ttl: 1 });
    const plain = await copy(thread_id);
    const ttlOf = (id: string) =>
      requireThread(deps(db.database), ANONYMOUS, id, { withTtl: true }).then(
        (one) => one.ttl,
      );
    expect(await ttlOf(plain.thread_id)).toBeNull();
    const defaultTtl = { strategy: "delete", ttl_minutes: 60 } as const;
    const limited = await copyThread(
      { database: db.database, defaultTtl },
      ANONYMOUS,
      thread_id,
    );
    expect(await ttlOf(limited.thread_id)).toMatchObject(defaultTtl);
  });

  test("of a missing or hidden thread is a conflict that says so", async () => {
    const { thread_id } = await newThread(db.database, {
      metadata: { owner: "ada" },
    });
    const refusal = { code: "conflict", message: "Thread not found" };
    await expect(copy(uuid7())).rejects.toMatchObject(refusal);
    await expect(
      copy(thread_id, { access: { owner: "eve" } }),
    ).rejects.toMatchObject(refusal);
  });
});
