import {
  afterAll,
  beforeAll,
  beforeEach,
  describe,
  expect,
  test,
} from "vitest";
import type { z } from "zod";
import { ANONYMOUS } from "../../src/auth/caller.ts";
import { uuid7 } from "../../src/lib/uuid.ts";
import type { AccessFilter } from "../../src/model/access.ts";
import {
  THREAD_SORTS,
  threadCount,
  type threadSearch,
} from "../../src/model/thread-search.ts";
import type { Thread } from "../../src/model/thread.ts";
import {
  countThreads,
  searchThreads,
} from "../../src/services/thread-search.ts";
import { insertThread, setThreadSnapshot } from "../../src/storage/threads.ts";
import {
  drivers,
  openTestDatabase,
  type TestDatabase,
} from "../support/databases.ts";
import { giveValues, newThread, search } from "../support/threads.ts";
import { rowNumber, timestampOf } from "../support/engine-sql.ts";
import { isOnPostgres } from "../support/postgres.ts";
import { sql } from "../../src/storage/sql.ts";

type Body = z.input<typeof threadSearch>;

describe.each(drivers())("searching threads on $name", (driver) => {
  let db: TestDatabase;
  beforeAll(async () => void (db = await openTestDatabase(driver)));
  afterAll(() => db.close());
  beforeEach(() => db.database.script("delete from threads"));

  const find = (body: Body = {}, access: AccessFilter = null) =>
    searchThreads({ database: db.database }, { access }, search(body));
  const ids = async (body: Body = {}, access: AccessFilter = null) =>
    (await find(body, access)).rows.map((row) => row.thread_id);
  const count = (body: object = {}, access: AccessFilter = null) =>
    countThreads(
      { database: db.database },
      { access },
      threadCount.parse(body),
    );
  const make = async (
    metadata: Thread["metadata"] = {},
    values?: Thread["values"],
  ) => {
    const { thread_id } = await newThread(db.database, { metadata });
    if (values !== undefined) await giveValues(db.database, thread_id, values);
    return thread_id;
  };

  test("nothing there is an empty page with a total of 0", async () => {
    expect(await find()).toEqual({ rows: [], total: 0, next: null });
    expect(await find({ offset: 5 })).toEqual({
      rows: [],
      total: 0,
      next: null,
    });
  });

  test("without filters gives whole threads, the last updated first, ten at most", async () => {
    const made: string[] = [];
    for (let index = 0; index < 12; index += 1) made.push(await make());
    await new Promise((resolve) => setTimeout(resolve, 3));
    await giveValues(db.database, made[3] ?? "", { a: 1 });
    const { rows, total, next } = await find();
    expect(rows).toHaveLength(10);
    expect(rows[0]).toMatchObject({
      thread_id: made[3],
      status: "idle",
      values: { a: 1 },
      config: {},
      error: null,
    });
    expect([total, next]).toEqual([12, 10]);
  });

  test("pages fit together: every thread once, the total on each, no next after the last", async () => {
    const made: string[] = [];
    for (let index = 0; index < 7; index += 1) made.push(await make());
    const seen: (string | undefined)[] = [];
    let offset: number | null = 0;
    while (offset !== null) {
      const page = await find({
        limit: 3,
        offset,
        sort_by: "created_at",
        sort_order: "asc",
      });
      expect(page.total).toBe(7);
      seen.push(...page.rows.map((row) => row.thread_id));
      offset = page.next;
    }
    expect(seen.sort()).toEqual(made.sort());
    expect(await find({ limit: 7 })).toMatchObject({ total: 7, next: null });
    expect(await find({ limit: 3, offset: 6 })).toMatchObject({
      total: 7,
      next: null,
    });
    expect(await find({ limit: 3, offset: 70 })).toEqual({
      rows: [],
      total: 7,
      next: null,
    });
  });

  test("metadata matches by containment", async () => {
    const a = await make({
      user: "ada",
      tags: ["x", "y"],
      deep: { n: 1, m: { k: null } },
    });
    await make({ user: "eve", tags: ["y"], deep: { n: 2 } });
    await make();
    for (const metadata of [
      { user: "ada" },
      { tags: ["x"] },
      { tags: ["y", "x"] },
      { deep: { n: 1 } },
      { deep: { m: { k: null } } },
    ])
      expect(await ids({ metadata })).toEqual([a]);
    for (const metadata of [
      { user: null },
      { user: ["ada"] },
      { tags: "x" },
      { deep: { n: "1" } },
      { deep: { m: { other: null } } },
      { missing: null },
    ])
      expect(await ids({ metadata })).toEqual([]);
    expect(await ids({ metadata: {} })).toHaveLength(3);
  });

  test.each([
    `{"it's": "100%"}`,
    `{"a\\"b": "\\\\"}`,
    `{"__proto__": {"x": 1}}`,
    `{"constructor": "c"}`,
    `{"": ""}`,
    `{"k\\u0000": "v\\u0000"}`,
    `{"k": 12345678901234567890}`,
    `{"k": 1e-7}`,
    `{"🧵": "ü\\u2028"}`,
  ])("metadata %s is found by itself", async (text) => {
    const metadata = JSON.parse(text) as Thread["metadata"];
    const id = await make(metadata);
    await make({ other: "1 or 1 = 1" });
    expect(await ids({ metadata })).toEqual([id]);
    expect(await count({ metadata })).toBe(1);
  });

  test("a filter on what no thread has matches nothing, even when every object has it", async () => {
    await make({ a: 1 });
    expect(
      await ids({
        metadata: JSON.parse('{"__proto__": {}}') as Thread["metadata"],
      }),
    ).toEqual([]);
    expect(await ids({ metadata: { constructor: {} } as never })).toEqual([]);
  });

  test("values match by containment, and threads without values never", async () => {
    const a = await make({}, { topic: "tea", items: [{ n: 1 }, { n: 2 }] });
    const b = await make({}, { topic: "rope" });
    await make();
    expect(await ids({ values: { topic: "tea" } })).toEqual([a]);
    expect(await ids({ values: { items: [{ n: 2 }] } })).toEqual([a]);
    expect((await ids({ values: {} })).sort()).toEqual([a, b].sort());
    expect(await count({ values: {} })).toBe(2);
  });

  test("status and ids restrict, an empty list of ids does not", async () => {
    const [a, b, c] = [await make(), await make(), await make()];
    await db.database.transaction((tx) =>
      setThreadSnapshot(tx, b, { status: "busy", snapshot: null, error: null }),
    );
    expect(await ids({ status: "busy" })).toEqual([b]);
    expect(await ids({ status: "error" })).toEqual([]);
    expect((await ids({ ids: [a, c, uuid7()] })).sort()).toEqual([a, c].sort());
    expect(await ids({ ids: [a, b], status: "busy" })).toEqual([b]);
    expect(await ids({ ids: [] })).toHaveLength(3);
    expect(await ids({ ids: null, metadata: null, status: null })).toHaveLength(
      3,
    );
    expect(await count({ status: "busy" })).toBe(1);
    expect(await count()).toBe(3);
  });

  test.each(THREAD_SORTS)(
    "sorts by %s both ways, with the id as tie-break",
    async (sort_by) => {
      for (let index = 0; index < 5; index += 1) await make();
      await db.database.transaction((tx) => {
        const at = sql`2000 + ${rowNumber(tx.dialect)} % 2`;
        return tx.query(sql`
          update threads
          set created_at = ${new Date(1000)}, updated_at = ${timestampOf(tx.dialect, at)}, state_updated_at = ${new Date(3000)}`);
      });
      const ascending = (await find({ sort_by, sort_order: "asc" }))
        .rows as Thread[];
      const key = (row: Thread) => `${row[sort_by]} ${row.thread_id}`;
      expect(ascending.map(key)).toEqual(ascending.map(key).sort());
      const descending = ascending.map((row) => row.thread_id).reverse();
      expect(await ids({ sort_by, sort_order: "desc" })).toEqual(descending);
      // Also where no index has the order already.
      expect(
        await ids({ sort_by, sort_order: "desc", ids: descending }),
      ).toEqual(descending);
    },
  );

  test("select leaves only the named keys", async () => {
    const thread_id = await make({ a: 1 }, { topic: "tea" });
    expect((await find({ select: ["thread_id", "values"] })).rows).toEqual([
      { thread_id, values: { topic: "tea" } },
    ]);
    expect((await find({ select: ["status"] })).rows).toEqual([
      { status: "idle" },
    ]);
    expect((await find({ select: ["context"] })).rows).toEqual([{}]);
    expect(Object.keys((await find({ select: [] })).rows[0] ?? {})).toContain(
      "metadata",
    );
  });

  test("a selected thread without values has null values", async () => {
    await make();
    expect((await find({ select: ["values"] })).rows).toEqual([
      { values: null },
    ]);
  });

  test("extract gives what is at its paths beside what was selected", async () => {
    const values = { messages: [{ text: "a" }, { text: "b" }] };
    const thread_id = await make({ user: "ada" }, values);
    const extract = {
      last: "values.messages[-1].text",
      user: "metadata.user",
      none: "values.missing[3]",
      waits: "interrupts",
      __proto__x: "config",
    };
    const extracted = {
      last: "b",
      user: "ada",
      none: null,
      waits: {},
      __proto__x: {},
    };
    expect((await find({ extract, select: ["thread_id"] })).rows).toEqual([
      { thread_id, extracted },
    ]);
    expect((await find({ extract, select: ["values"] })).rows).toEqual([
      { values, extracted },
    ]);
    expect((await find({ extract })).rows[0]).toMatchObject({
      thread_id,
      values,
      extracted,
    });
  });

  test("an alias may be called __proto__", async () => {
    await make({ user: "ada" });
    const extract = JSON.parse('{"__proto__": "metadata.user"}') as Record<
      string,
      string
    >;
    const { rows } = await find({ extract, select: ["status"] });
    expect(JSON.stringify(rows)).toBe(
      '[{"status":"idle","extracted":{"__proto__":"ada"}}]',
    );
  });

  test("extract from many threads keeps each with its own values", async () => {
    const made: string[] = [];
    for (let n = 0; n < 45; n += 1)
      made.push(await make({}, n === 7 ? undefined : { n }));
    const { rows } = await find({
      limit: 100,
      sort_by: "created_at",
      select: ["thread_id"],
      extract: { n: "values.n" },
    });
    expect(rows).toHaveLength(45);
    for (const row of rows) {
      const n = made.indexOf(row.thread_id ?? "");
      expect(row.extracted).toEqual({ n: n === 7 ? null : n });
    }
  });

  test("temporary threads are neither found nor counted", async () => {
    const thread_id = uuid7();
    await db.database.transaction((tx) =>
      insertThread(tx, {
        thread_id,
        metadata: { a: 1 },
        ttl: null,
        temporary: true,
      }),
    );
    expect(await find({ ids: [thread_id] })).toMatchObject({
      rows: [],
      total: 0,
    });
    expect(await ids({ metadata: { a: 1 } })).toEqual([]);
    expect(await count()).toBe(0);
  });

  test("a caller finds, counts and extracts only what the access filter lets through", async () => {
    const mine = await make({ owner: "ada", tags: ["a", "b"] }, { secret: 1 });
    await make({ owner: "eve" }, { secret: 2 });
    const access = { owner: "ada" };
    expect(await ids({}, access)).toEqual([mine]);
    expect(await count({ values: {} }, access)).toBe(1);
    expect(await ids({ metadata: { owner: "eve" } }, access)).toEqual([]);
    expect(await ids({}, { tags: { $contains: ["b", "a"] } })).toEqual([mine]);
    expect(await ids({}, { owner: { $eq: "bob" } })).toEqual([]);
    const select = ["thread_id" as const];
    const { rows } = await find(
      { select, extract: { s: "values.secret" } },
      access,
    );
    expect(rows).toEqual([{ thread_id: mine, extracted: { s: 1 } }]);
  });

  // What Postgres stores is JSON, or is refused.
  test.skipIf(isOnPostgres())(
    "values that nobody asks for are not read",
    async () => {
      await make({}, { big: "x".repeat(1000) });
      // What is not JSON can be skipped, but not read.
      await db.database.script(`update threads set "values" = 'not JSON'`);
      const { rows } = await find({ select: ["thread_id", "metadata"] });
      expect(rows).toHaveLength(1);
      await expect(find()).rejects.toThrow(/JSON/);
    },
  );

  test("the anonymous caller sees all", async () => {
    await make({ owner: "ada" });
    expect(await countThreads({ database: db.database }, ANONYMOUS, {})).toBe(
      1,
    );
  });
});
