import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ANONYMOUS } from "../../src/auth/caller.ts";
import type { Json } from "../../src/lib/json.ts";
import { threadPatch, threadPrune } from "../../src/model/thread-requests.ts";
import { copyThread } from "../../src/services/thread-copy.ts";
import {
  deleteThread,
  pruneThreads,
} from "../../src/services/thread-delete.ts";
import { searchThreads } from "../../src/services/thread-search.ts";
import { updateThread } from "../../src/services/threads.ts";
import type { Queryable } from "../../src/storage/database.ts";
import { raw, sql } from "../../src/storage/sql.ts";
import {
  getLastState,
  getThread,
  setThreadSnapshot,
} from "../../src/storage/threads.ts";
import {
  drivers,
  openTestDatabase,
  type TestDatabase,
} from "../support/databases.ts";
import { deps, giveValues, newThread, search } from "../support/threads.ts";
import { isOnPostgres } from "../support/postgres.ts";

const message = (index: number) => ({
  type: "ai",
  content: `${index} 🙂\0 "},{" ${"x".repeat(1000)}`,
});
const messages = (count: number, from = 0) =>
  Array.from({ length: count }, (_, index) => message(from + index));

/** As it is read: no engine stores NUL. */
const readable = (values: Json): Json =>
  JSON.parse(JSON.stringify(values).replaceAll("\\u0000", "\ufffd")) as Json;

const later = () => new Promise((resolve) => setTimeout(resolve, 5));

describe.each(drivers())("long values of threads on $name", (driver) => {
  let db: TestDatabase;
  beforeAll(async () => void (db = await openTestDatabase(driver)));
  afterAll(() => db.close());

  const pagesOf = (threadId: string) =>
    db.database.query<{ channel_no: number; page_no: number; hash: string }>(
      sql`select channel_no, page_no, hash from thread_value_pages where thread_id = ${threadId}`,
    );
  const rowOf = async (threadId: string) => {
    const [row] = await db.database.query<{
      values_paged: boolean;
      values: Json;
    }>(
      sql`select values_paged, "values" from threads where thread_id = ${threadId}`,
    );
    return row;
  };
  const read = async (threadId: string) => {
    const thread = await getThread(db.database, threadId, null);
    if (thread === null) throw new Error("it is gone");
    return thread;
  };
  const make = async (values: Json) => {
    const { thread_id } = await newThread(db.database);
    await giveValues(db.database, thread_id, values);
    return thread_id;
  };
  /** How many rows `fn` changes, which only SQLite can tell; the thread's own is one of them. */
  const rowsChangedBy = async (fn: () => Promise<unknown>) => {
    const total = () =>
      db.database.transaction(async (tx) => {
        const rows = await tx.query<{ total: number }>(
          raw("select total_changes() as total"),
        );
        return rows[0]?.total ?? 0;
      });
    const before = await total();
    await fn();
    return (await total()) - before;
  };
  /** The statements of a change of the thread. */
  const statementsOf = async (
    threadId: string,
    outcome: Parameters<typeof setThreadSnapshot>[2],
  ) => {
    const texts: string[] = [];
    await db.database.transaction((tx) => {
      const spy: Queryable = {
        dialect: tx.dialect,
        query: (statement) => {
          texts.push(statement.text(() => "?"));
          return tx.query(statement);
        },
      };
      return setThreadSnapshot(spy, threadId, outcome);
    });
    return texts;
  };

  test("come back as they went in, from everywhere", async () => {
    const values = {
      turn: 1,
      messages: messages(200),
      note: "🙂".repeat(50_000),
    };
    const thread_id = await make(values);
    expect(await rowOf(thread_id)).toEqual({
      values_paged: true,
      values: null,
    });
    const expected = readable(values);
    expect((await read(thread_id)).values).toEqual(expected);
    expect((await getLastState(db.database, thread_id))?.values).toEqual(
      expected,
    );
    const patch = threadPatch.parse({ metadata: { a: 1 } });
    const patched = await updateThread(
      deps(db.database),
      ANONYMOUS,
      thread_id,
      patch,
    );
    expect(patched.values).toEqual(expected);
  });

  test("keep the order of their members", async () => {
    const values = { z: messages(60), a: 1, m: messages(60), b: 2 };
    const thread_id = await make(values);
    const { values: found } = await read(thread_id);
    expect(JSON.stringify(found)).toBe(JSON.stringify(readable(values)));
  });

  test.skipIf(isOnPostgres())(
    "a turn writes the end of a long list, however long it is",
    async () => {
      const thread_id = await make({
        turn: 9,
        messages: messages(500),
        ok: true,
      });
      expect((await pagesOf(thread_id)).length).toBeGreaterThan(100);
      for (let turn = 10; turn < 20; turn += 1) {
        const values = { turn, messages: messages(500 + 2 * turn), ok: true };
        const changes = await rowsChangedBy(() =>
          giveValues(db.database, thread_id, values),
        );
        // The thread, the counter, the end of the list and what was added to it.
        expect(changes).toBeLessThanOrEqual(turn === 10 ? 8 : 5);
        expect((await read(thread_id)).values).toEqual(readable(values));
      }
    },
  );

  test("that get shorter leave no page behind", async () => {
    const thread_id = await make({ messages: messages(300) });
    const before = (await pagesOf(thread_id)).length;
    const shorter = { messages: messages(100) };
    await giveValues(db.database, thread_id, shorter);
    expect((await pagesOf(thread_id)).length).toBeLessThan(before / 2);
    expect((await read(thread_id)).values).toEqual(readable(shorter));
    await giveValues(db.database, thread_id, { messages: [] });
    expect(await pagesOf(thread_id)).toEqual([]);
    expect(await rowOf(thread_id)).toEqual({
      values_paged: false,
      values: { messages: [] },
    });
    expect((await read(thread_id)).values).toEqual({ messages: [] });
  });

  test("can go from and to none", async () => {
    const thread_id = await make(null);
    await giveValues(db.database, thread_id, messages(100));
    expect((await read(thread_id)).values).toEqual(readable(messages(100)));
    const { state_updated_at } = await read(thread_id);
    await later();
    await giveValues(db.database, thread_id, null);
    const emptied = await read(thread_id);
    expect(emptied.values).toBeNull();
    expect(emptied.state_updated_at > state_updated_at).toBe(true);
    expect(await pagesOf(thread_id)).toEqual([]);
  });

  test("move state_updated_at when they change, and only then", async () => {
    const thread_id = await make({ messages: messages(100) });
    const movedBy = async (values: Json) => {
      const before = await read(thread_id);
      await later();
      await giveValues(db.database, thread_id, values);
      const after = await read(thread_id);
      expect(after.updated_at > before.updated_at).toBe(true);
      return after.state_updated_at !== before.state_updated_at;
    };
    expect(await movedBy({ messages: messages(100) })).toBe(false);
    expect(await movedBy({ messages: messages(101) })).toBe(true); // longer
    expect(await movedBy({ messages: messages(101, 7) })).toBe(true); // as long
    expect(await movedBy({ messages: messages(90, 7) })).toBe(true); // a beginning of it
    expect(await movedBy({ messages: messages(90, 7) })).toBe(false);
    expect(await movedBy({ messages: [] })).toBe(true); // into the row
    expect(await movedBy({ messages: [] })).toBe(false);
    expect(await movedBy({ messages: messages(90, 7) })).toBe(true); // out of it
  });

  test("are left alone by a change of the status", async () => {
    const thread_id = await make({ messages: messages(100) });
    const before = await read(thread_id);
    await later();
    const texts = await statementsOf(thread_id, {
      status: "busy",
      snapshot: null,
      error: null,
    });
    expect(texts).toHaveLength(1);
    expect(texts[0]).not.toContain("thread_value_pages");
    const after = await read(thread_id);
    expect(after.values).toEqual(before.values);
    expect(after.state_updated_at > before.state_updated_at).toBe(true);
  });

  test("need no statement texts of their own", async () => {
    const thread_id = await make({ messages: messages(60) });
    const texts = new Set<string>();
    for (const count of [60, 200, 61, 0, 1, 120]) {
      const snapshot = {
        values: { messages: messages(count) },
        next: [],
        interrupts: {},
      };
      const outcome = { status: "idle", snapshot, error: null } as const;
      for (const text of await statementsOf(thread_id, outcome))
        texts.add(text);
    }
    expect(texts.size).toBe(4); // list, put and delete pages; set the row
  });

  test("are searched, selected and extracted like short ones", async () => {
    const long = { topic: "paged", messages: messages(100) };
    const paged = await make(long);
    const inline = await make({ topic: "paged", messages: [] });
    const without = await make(null);
    const ids = [paged, inline, without];
    const find = async (body: Parameters<typeof search>[0]) =>
      (
        await searchThreads(
          { database: db.database },
          ANONYMOUS,
          search({ ids, sort_by: "created_at", sort_order: "asc", ...body }),
        )
      ).rows;
    const found = await find({ values: { topic: "paged" } });
    expect(found.map((thread) => thread.thread_id)).toEqual([paged, inline]);
    expect(found[0]?.values).toEqual(readable(long));
    expect(
      await find({
        values: readable({ messages: [message(99)] }) as object as never,
        select: ["thread_id"],
      }),
    ).toEqual([{ thread_id: paged }]);
    expect(
      await find({
        select: ["thread_id"],
        extract: { topic: "values.topic", last: "values.messages[-1]" },
      }),
    ).toEqual([
      {
        thread_id: paged,
        extracted: { topic: "paged", last: readable(message(99)) },
      },
      { thread_id: inline, extracted: { topic: "paged", last: null } },
      { thread_id: without, extracted: { topic: null, last: null } },
    ]);
  });

  test("are copied, and the copy lives on without its source", async () => {
    const from = await make({ messages: messages(100) });
    const copy = await copyThread(deps(db.database), ANONYMOUS, from);
    expect(copy.values).toEqual(readable({ messages: messages(100) }));
    await giveValues(db.database, from, { messages: messages(120, 3) });
    expect(await read(copy.thread_id)).toEqual(copy);
    await deleteThread({ database: db.database }, ANONYMOUS, from);
    expect(await read(copy.thread_id)).toEqual(copy);
    expect(await pagesOf(from)).toEqual([]);
  });

  test("stay when the history is pruned, and go with their thread", async () => {
    const kept = await make({ messages: messages(100) });
    const gone = await make({ messages: messages(100) });
    const before = await read(kept);
    const prune = (strategy: string, threadId: string) =>
      pruneThreads(
        { database: db.database },
        ANONYMOUS,
        threadPrune.parse({ thread_ids: [threadId], strategy }),
      );
    await prune("keep_latest", kept);
    await prune("delete", gone);
    expect(await read(kept)).toEqual(before);
    expect(await pagesOf(gone)).toEqual([]);
  });

  test("are as before when their transaction fails", async () => {
    const thread_id = await make({ messages: messages(100) });
    const before = await read(thread_id);
    const failing = db.database.transaction(async (tx) => {
      const snapshot = { values: null, next: [], interrupts: {} };
      await setThreadSnapshot(tx, thread_id, {
        status: "idle",
        snapshot,
        error: null,
      });
      throw new Error("no");
    });
    await expect(failing).rejects.toThrow("no");
    expect(await read(thread_id)).toEqual(before);
  });
});
