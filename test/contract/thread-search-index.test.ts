import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { jsonContains, type JsonObject } from "../../src/lib/json.ts";
import { uuid7 } from "../../src/lib/uuid.ts";
import { accessPattern, type AccessFilter } from "../../src/model/access.ts";
import { THREAD_SORTS } from "../../src/model/thread-search.ts";
import { THREAD_STATUSES, type Thread } from "../../src/model/thread.ts";
import {
  countThreads,
  searchThreads,
} from "../../src/services/thread-search.ts";
import { json, raw, sql } from "../../src/storage/sql.ts";
import { markThreadBusy } from "../../src/storage/thread-turn.ts";
import {
  copyThread,
  deleteThread,
  insertThread,
  patchThread,
  setThreadSnapshot,
} from "../../src/storage/threads.ts";
import {
  drivers,
  openTestDatabase,
  type TestDatabase,
} from "../support/databases.ts";
import { search } from "../support/threads.ts";
import { rowNumber, timestampOf } from "../support/engine-sql.ts";
import { isOnPostgres } from "../support/postgres.ts";

/*
 * Random threads, changed in every way that there is, and after each batch of
 * changes random searches: pages and totals must be those of a filter over
 * all rows. `FUZZ_RUNS` makes it longer.
 */

const RUNS = Number(process.env["FUZZ_RUNS"] ?? 40);

const scalar = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom("a", "b", 1, 2, true, null) },
  fc.constantFrom<JsonObject[string]>(
    1.5,
    -0,
    1e21,
    1e-7,
    2 ** 60 + 1,
    false,
    "",
    "1",
    "true",
    "null",
    "ü🧵\u2028",
    "\ud800",
    "v\0",
    "v\ufffd",
    'a","b":"c',
    "x".repeat(250),
    "x".repeat(400),
  ),
);
const value = fc.oneof(
  { weight: 6, arbitrary: scalar },
  fc.array(scalar, { maxLength: 2 }),
  fc.dictionary(fc.constantFrom("a", "n"), scalar, { maxKeys: 2 }),
);
const key = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom("a", "team") },
  fc.constantFrom(
    "__proto__",
    "constructor",
    "graph_id",
    "thread_id",
    "",
    "ü🧵",
    "k\0",
    "k\ufffd",
    "k".repeat(300),
    "\ud800",
    'a":1,"b',
    "c",
    "d",
    "e",
  ),
);
/** More members than the index takes of one thread. */
const MANY = Array.from({ length: 300 }, (_, n) => [`m${n}`, n] as const);

/** As it comes over the wire: a member may be called `__proto__`. */
const metadata: fc.Arbitrary<JsonObject> = fc
  .tuple(
    fc.array(fc.tuple(key, value), { maxLength: 6 }),
    fc.nat({ max: 30 }).map((n) => (n === 0 ? MANY : [])),
  )
  .map(([entries, many]) => Object.fromEntries([...entries, ...many]));

const pick = fc.nat({ max: 1000 });
const operation = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("create" as const),
      metadata,
      temporary: fc.nat({ max: 5 }).map((n) => n === 0),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("patch" as const),
      pick,
      metadata,
    }),
  },
  fc.record({
    kind: fc.constant("status" as const),
    pick,
    status: fc.constantFrom(...THREAD_STATUSES),
  }),
  fc.record({
    kind: fc.constantFrom(
      "copy" as const,
      "delete" as const,
      "busy" as const,
      "rollback" as const,
    ),
    pick,
  }),
);
type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never;

const needle = fc.oneof(
  fc.constant(undefined),
  metadata.map((all) => Object.fromEntries(Object.entries(all).slice(0, 2))),
  fc.tuple(key, scalar).map((entry) => Object.fromEntries([entry])),
  metadata,
);
const query = fc.record({
  metadata: needle,
  status: fc.option(fc.constantFrom(...THREAD_STATUSES), { nil: undefined }),
  values: fc.option(fc.constant({}), { nil: undefined, freq: 8 }),
  owned: fc.option(fc.tuple(key, scalar), { nil: null, freq: 4 }),
  ids: fc.option(fc.array(pick, { maxLength: 4 }), {
    nil: undefined,
    freq: 6,
  }),
  sort_by: fc.constantFrom(...THREAD_SORTS),
  sort_order: fc.constantFrom("asc" as const, "desc" as const),
  limit: fc.integer({ min: 1, max: 6 }),
  offset: fc.constantFrom(0, 0, 0, 1, 7),
});
type Query = typeof query extends fc.Arbitrary<infer T> ? T : never;

type Row = Thread & { temporary: boolean };

class Taken extends Error {}

/** What is in them when there are no threads is left over. */
const INDEX_TABLES = [
  "thread_metadata_entries",
  ...(isOnPostgres() ? [] : ["thread_metadata"]),
];

describe.each(drivers())("searching by index on $name", (driver) => {
  let db: TestDatabase;
  beforeAll(async () => void (db = await openTestDatabase(driver)));
  afterAll(() => db.close());

  const all = () =>
    db.database.query<Row>(sql`select * from threads order by thread_id`);

  async function apply(operation: Operation, ids: string[]): Promise<void> {
    const write = db.database.transaction.bind(db.database);
    if (operation.kind === "create") {
      const thread_id = uuid7();
      ids.push(thread_id);
      const { metadata, temporary } = operation;
      await write((tx) =>
        insertThread(tx, { thread_id, metadata, ttl: null, temporary }),
      );
      return;
    }
    const id = ids[operation.pick % Math.max(ids.length, 1)] ?? uuid7();
    if (operation.kind === "patch")
      await write((tx) =>
        patchThread(tx, id, null, { metadata: operation.metadata, ttl: null }),
      );
    else if (operation.kind === "status")
      await write((tx) =>
        setThreadSnapshot(tx, id, {
          status: operation.status,
          snapshot: { values: { a: 1 }, next: [], interrupts: {} },
          error: null,
        }),
      );
    else if (operation.kind === "copy") {
      const thread_id = uuid7();
      ids.push(thread_id);
      await write((tx) => copyThread(tx, id, null, { thread_id, ttl: null }));
    } else if (operation.kind === "delete")
      await write((tx) => deleteThread(tx, id, null));
    else if (operation.kind === "busy")
      await write((tx) =>
        markThreadBusy(tx, {
          thread_id: id,
          ...{ graph_id: "a", assistant_id: "b", hasTurn: true },
        }),
      );
    else
      await write(async (tx) => {
        await deleteThread(tx, id, null);
        await insertThread(tx, {
          thread_id: uuid7(),
          metadata: { a: 1, team: "a" },
          ttl: null,
        });
        throw new Taken();
      }).catch((error: unknown) => expect(error).toBeInstanceOf(Taken));
  }

  /** What a needle is in the database, where NUL is U+FFFD. */
  const stored = (document: unknown): unknown =>
    JSON.parse(json(document).toText());

  async function check({ owned, ids: picks, ...query }: Query, ids: string[]) {
    const access =
      owned && (Object.fromEntries([owned]) as NonNullable<AccessFilter>);
    const wanted =
      picks?.map((pick) => ids[pick % Math.max(ids.length, 1)] ?? uuid7()) ??
      [];
    const matches = (await all()).filter(
      (row) =>
        !row.temporary &&
        (wanted.length === 0 || wanted.includes(row.thread_id)) &&
        (query.status === undefined || row.status === query.status) &&
        jsonContains(row.metadata, stored(query.metadata ?? {})) &&
        (access === null ||
          jsonContains(row.metadata, stored(accessPattern(access)))) &&
        (query.values === undefined || row.values !== null),
    );
    const { sort_by, sort_order, limit, offset } = query;
    const keyOf = (row: Row) => `${row[sort_by]} ${row.thread_id}`;
    matches.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
    if (sort_order === "desc") matches.reverse();
    const deps = { database: db.database };
    const input = { ...search({}), ...query, ids: wanted };
    const found = await searchThreads(deps, { access }, input);
    expect(found.rows.map((row) => row.thread_id)).toEqual(
      matches.slice(offset, offset + limit).map((row) => row.thread_id),
    );
    expect(found.total).toBe(matches.length);
    if (wanted.length === 0)
      expect(await countThreads(deps, { access }, query)).toBe(matches.length);
  }

  test("pages and totals are those of a filter over all threads", async () => {
    const round = fc.tuple(
      fc.array(operation, { minLength: 1, maxLength: 25 }),
      fc.array(query, { minLength: 4, maxLength: 10 }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(round, { minLength: 1, maxLength: 4 }),
        async (rounds) => {
          await db.database.script("delete from threads");
          const ids: string[] = [];
          for (const [operations, queries] of rounds) {
            for (const operation of operations) await apply(operation, ids);
            for (const query of queries) await check(query, ids);
          }
          await db.database.script("delete from threads");
          for (const table of INDEX_TABLES)
            expect(
              await db.database.query(sql`select * from ${raw(table)}`),
            ).toEqual([]);
        },
      ),
      { numRuns: RUNS },
    );
  });

  test("a page is the same whether its matches are sorted or looked for in the order", async () => {
    const ids: string[] = [];
    const create = (index: number) =>
      apply(
        {
          kind: "create",
          metadata: {
            common: true,
            half: index % 2,
            tenth: index % 10,
            rare: index % 300,
          },
          temporary: false,
        },
        ids,
      );
    // All at once, a busy machine would not get to the last ones before they give up.
    for (let from = 0; from < 1500; from += 100)
      await Promise.all(
        Array.from({ length: 100 }, (_, index) => create(from + index)),
      );
    await db.database.transaction((tx) => {
      const number = rowNumber(tx.dialect);
      const at = timestampOf(tx.dialect, sql`1000 + ${number} % 7`);
      return tx.query(sql`
        update threads
        set updated_at = ${at}, status = case when ${number} % 400 = 0 then 'busy' else 'idle' end`);
    });
    const plain = {
      values: undefined,
      owned: null,
      ids: undefined,
      sort_by: "updated_at",
      sort_order: "desc",
      limit: 6,
      offset: 0,
    } as const;
    const needles = [
      undefined,
      { common: true },
      { half: 1 },
      { half: 1, tenth: 2 },
      { half: 0, tenth: 2, common: true },
      { rare: 7 },
      { rare: 1000 },
    ];
    for (const metadata of needles)
      for (const status of [undefined, "idle", "busy", "error"] as const)
        for (const sort_by of ["updated_at", "status"] as const)
          for (const owned of [null, ["tenth", 2] as [string, number]])
            await check({ ...plain, metadata, status, sort_by, owned }, ids);
  });
});
