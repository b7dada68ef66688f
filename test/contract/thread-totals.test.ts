import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ANONYMOUS } from "../../src/auth/caller.ts";
import type { JsonObject } from "../../src/lib/json.ts";
import { uuid7 } from "../../src/lib/uuid.ts";
import { THREAD_STATUSES, type Thread } from "../../src/model/thread.ts";
import { countThreads } from "../../src/services/thread-search.ts";
import type { Queryable } from "../../src/storage/database.ts";
import { isStopped } from "../../src/storage/metadata-entries.ts";
import { json, raw, sql } from "../../src/storage/sql.ts";
import { weighFilters } from "../../src/storage/thread-filters.ts";
import { markThreadBusy, takeBackTurn } from "../../src/storage/thread-turn.ts";
import {
  deleteThread,
  patchThread,
  setThreadSnapshot,
} from "../../src/storage/threads.ts";
import {
  drivers,
  openOlderDatabase,
  openTestDatabase,
  type ScriptableDatabase,
  type TestDatabase,
} from "../support/databases.ts";
import { refusalOf } from "../support/engine-sql.ts";

/*
 * How many threads have an entry of metadata and a status at once, after
 * whatever may happen to a thread: the total of the search against a count by
 * hand. `FUZZ_RUNS` makes it longer.
 */

const RUNS = Number(process.env["FUZZ_RUNS"] ?? 6);

/** The migration that keeps them. */
const STOPPED_TOTALS = 8;

const NEEDLES: readonly JsonObject[] = [
  { team: "a" },
  { team: "b" },
  { graph_id: "g" },
  { n: 1 },
  { 'say "hi"': null },
];

const metadata = fc
  .record(
    {
      team: fc.constantFrom("a", "b", "c", ["a"], "x".repeat(300)),
      n: fc.constantFrom(1, 2, 1.5, "1"),
      'say "hi"': fc.constantFrom(null, false),
    },
    { requiredKeys: [] },
  )
  .map((members): JsonObject => ({ ...members }));
const status = fc.constantFrom(...THREAD_STATUSES);
const pick = fc.nat({ max: 1000 });
const change = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("insert" as const),
      temporary: fc.nat({ max: 4 }).map((n) => n === 0),
      metadata,
      status,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("move" as const), pick, status }),
  },
  fc.record({ kind: fc.constant("patch" as const), pick, metadata }),
  fc.record({ kind: fc.constant("both" as const), pick, metadata, status }),
  fc.record({
    kind: fc.constantFrom("busy" as const, "back" as const, "delete" as const),
    pick,
  }),
);
type Change = typeof change extends fc.Arbitrary<infer T> ? T : never;

type Row = Pick<Thread, "metadata" | "status"> & { temporary: boolean };

const insert = (
  tx: Queryable,
  {
    thread_id = uuid7(),
    metadata,
    status,
    temporary,
  }: Row & { thread_id?: string },
) =>
  tx.query(sql`
    insert into threads (thread_id, created_at, updated_at, state_updated_at, metadata, status, temporary)
    values (${thread_id}, ${tx.dialect.now}, ${tx.dialect.now}, ${tx.dialect.now}, ${json(metadata)}, ${status}, ${temporary})`);

async function apply(tx: Queryable, change: Change, ids: string[]) {
  if (change.kind === "insert") {
    const thread_id = uuid7();
    ids.push(thread_id);
    return insert(tx, { ...change, thread_id });
  }
  const thread_id = ids[change.pick % Math.max(ids.length, 1)] ?? uuid7();
  switch (change.kind) {
    case "move":
      return setThreadSnapshot(tx, thread_id, {
        ...{ status: change.status, snapshot: null, error: null },
      });
    case "patch":
      return patchThread(tx, thread_id, null, { ...change, ttl: null });
    case "both":
      return tx.query(sql`
        update threads set metadata = ${json(change.metadata)}, status = ${change.status}
        where thread_id = ${thread_id}`);
    case "busy":
      return markThreadBusy(tx, {
        ...{ thread_id, graph_id: "g", assistant_id: "h", hasTurn: true },
      });
    case "back":
      return takeBackTurn(tx, thread_id);
    case "delete":
      return deleteThread(tx, thread_id, null);
  }
}

const has = ({ metadata }: Row, needle: JsonObject) =>
  Object.entries(needle).every(([key, value]) => metadata[key] === value);

/** Of each needle with each status. */
async function expectRightTotals(database: ScriptableDatabase): Promise<void> {
  const rows = await database.query<Row>(
    raw("select metadata, status, temporary from threads where not temporary"),
  );
  for (const metadata of NEEDLES)
    for (const status of THREAD_STATUSES) {
      const byHand = rows.filter(
        (row) => row.status === status && has(row, metadata),
      ).length;
      const filter = { metadata, status };
      const counted = await countThreads({ database }, ANONYMOUS, filter);
      expect({ ...filter, counted }).toEqual({ ...filter, counted: byHand });
      if (!isStopped(status)) continue;
      // Without a look at threads.
      const { total, isImpossible } = await weighFilters(
        database,
        filter,
        null,
      );
      expect({ ...filter, total, isImpossible }).toEqual({
        ...filter,
        ...{ total: byHand, isImpossible: byHand === 0 },
      });
    }
}

const entriesLeft = (db: Queryable) =>
  db.query(raw("select * from thread_metadata_entries"));

/** Who loses an entry while others hold its rows counts down in one of its own: what is left may be a sum of nothing. */
const entriesInSum = (db: Queryable) =>
  db.query(
    raw(
      "select entry, sum(total) from thread_metadata_entries group by entry having sum(total) <> 0",
    ),
  );

describe.each(drivers())("totals of threads on $name", (driver) => {
  let db: TestDatabase;
  beforeAll(async () => void (db = await openTestDatabase(driver)));
  afterAll(() => db.close());

  test("after every change the total of an entry and a status together is that of a count by hand", async () => {
    const { database } = db;
    const changes = fc.array(change, { minLength: 10, maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(changes, async (all) => {
        await database.script("delete from threads");
        expect(await entriesLeft(database)).toEqual([]);
        const ids: string[] = [];
        for (const one of all) {
          await database.transaction((tx) => apply(tx, one, ids));
          await expectRightTotals(database);
        }
      }),
      { numRuns: RUNS },
    );
  });

  test("they are right when many threads stop, go on and go at once", async () => {
    const { database } = db;
    const changes = fc.array(change, { minLength: 300, maxLength: 300 });
    await fc.assert(
      fc.asyncProperty(changes, async (all) => {
        await database.script("delete from threads");
        const ids: string[] = [];
        await Promise.all(
          all.map((one) => database.transaction((tx) => apply(tx, one, ids))),
        );
        await expectRightTotals(database);
        await database.script("delete from threads");
        expect(await entriesInSum(database)).toEqual([]);
      }),
      { numRuns: 2, endOnFailure: true },
    );
  });

  test("a thread that neither waits nor fails writes none of them", async () => {
    const { database } = db;
    const { create, drop } = refusalOf(
      database.dialect,
      "thread_metadata_entries",
      `new.entry not like '"%'`,
    );
    const ids: string[] = [];
    const write = (change: Change) =>
      database.transaction((tx) => apply(tx, change, ids));
    await database.script(`delete from threads; ${create}`);
    const before = { team: "a", n: 1 };
    await write({
      ...{ kind: "insert", metadata: before, status: "idle", temporary: false },
    });
    for (const kind of ["busy", "back", "busy"] as const)
      await write({ kind, pick: 0 });
    await write({ kind: "patch", pick: 0, metadata: { team: "b" } });
    await write({ kind: "move", pick: 0, status: "idle" });
    await expect(
      write({ kind: "move", pick: 0, status: "interrupted" }),
    ).rejects.toThrow("no");
    await write({ kind: "delete", pick: 0 });
    await database.script(drop);
  });

  test("threads that were there before these totals were kept are counted", async () => {
    const rows = fc.array(
      fc.record({ metadata, status, temporary: fc.boolean() }),
      { minLength: 60 },
    );
    await fc.assert(
      fc.asyncProperty(rows, async (all) => {
        await using older = await openOlderDatabase(STOPPED_TOTALS, driver);
        const { database } = older;
        for (const row of all)
          await database.transaction((tx) => insert(tx, row));
        await older.update();
        await expectRightTotals(database);
        await database.script("delete from threads");
        expect(await entriesLeft(database)).toEqual([]);
      }),
      { numRuns: 1, endOnFailure: true },
    );
  });
});
