import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { exportTo } from "../../src/moving/export.ts";
import { importFrom, type OnConflict } from "../../src/moving/import.ts";
import { columnKind } from "../../src/storage/columns.ts";
import type { Database } from "../../src/storage/database.ts";
import { LEFT_OUT, UNITS } from "../../src/storage/moved-tables.ts";
import { sql } from "../../src/storage/sql.ts";
import type { Row } from "../../src/storage/table-rows.ts";
import { openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { tableColumns, tableNames } from "../support/engine-sql.ts";
import {
  allMoved,
  idOf,
  insertMovedRows,
  movedRows,
} from "../support/moved-data.ts";

// On Postgres each database is made for its test.
vi.setConfig({ testTimeout: 60_000 });

let folder: string;
let opened: TestDatabase[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "spool-moving-"));
});

afterEach(async () => {
  for (const database of opened) await database.close();
  opened = [];
  rmSync(folder, { recursive: true, force: true });
});

async function open(rows: Record<string, Row[]> = {}): Promise<Database> {
  const opening = await openTestDatabase();
  opened.push(opening);
  await insertMovedRows(opening.database, rows);
  return opening.database;
}

const fileNamed = (name: string) => join(folder, name);

async function exported(
  rows: Record<string, Row[]>,
  name = "all.jsonl",
): Promise<string> {
  const path = fileNamed(name);
  await exportTo(path, await open(rows));
  return path;
}

const bringIn = (
  path: string,
  database: Database,
  onConflict: OnConflict = "refuse",
) => importFrom(path, database, { onConflict });

test("every table is exported, with its key, or named as left out", async () => {
  const database = await open();
  const all = await database.query<{ name: string }>(
    tableNames(database.dialect),
  );
  const tables = all.filter(({ name }) => !name.startsWith("sqlite_"));
  const moved = UNITS.flatMap(({ head, parts }) => [head, ...parts]);
  const names = moved.map(({ name }) => name);
  const known = [...names, ...Object.keys(LEFT_OUT)];
  expect(known).toHaveLength(new Set(known).size);
  const present = tables.map(({ name }) => name);
  expect(present.filter((name) => !known.includes(name))).toEqual([]);
  expect(names.filter((name) => !present.includes(name))).toEqual([]);
  for (const { name, key } of moved) {
    const columns = await database.query<{ name: string; pk: number }>(
      tableColumns(database.dialect, name),
    );
    const primary = columns
      .filter(({ pk }) => pk > 0)
      .sort((a, b) => a.pk - b.pk);
    expect([name, primary.map((column) => column.name)]).toEqual([name, key]);
  }
  // The round trips below are worth something for tables that have rows.
  expect(Object.keys(movedRows(1)).sort()).toEqual(names.sort());
});

test("what is a time by its name is a time in the file", async () => {
  const rows = Object.values(movedRows(1)).flat();
  const names = new Set(rows.flatMap((row) => Object.keys(row)));
  const times = [...names].filter((name) =>
    /_(at|until|date|time)$/.test(name),
  );
  expect(times.filter((name) => columnKind(name) !== "timestamp")).toEqual([]);
});

test("the rows of these tests have every column", async () => {
  const database = await open();
  for (const [table, [row = {}]] of Object.entries(movedRows(1))) {
    const columns = await database.query<{ name: string }>(
      tableColumns(database.dialect, table),
    );
    expect([table, Object.keys(row).sort()]).toEqual([
      table,
      columns.map(({ name }) => name).sort(),
    ]);
  }
});

test.each(["all.jsonl", "all.jsonl.gz"])(
  "what comes out of %s is what went in, row by row",
  async (name) => {
    const source = await open(movedRows(150));
    await exportTo(fileNamed(name), source);
    const target = await open();
    const report = await bringIn(fileNamed(name), target);
    expect(await allMoved(target)).toEqual(await allMoved(source));
    expect(report.tables["checkpoints"]).toEqual({
      ...{ added: 300, replaced: 0, kept: 0 },
    });
  },
);

test("a file is JSON lines: a header, a line per row, the counts", async () => {
  const path = await exported(movedRows(2), "two.jsonl.gz");
  const lines = gunzipSync(readFileSync(path))
    .toString()
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(lines[0]).toMatchObject({ spool: "export", format: 1 });
  expect(lines[1]).toEqual({
    table: "assistants",
    row: expect.objectContaining({ created_at: "2026-03-04T05:06:07.089Z" }),
  });
  const value = lines.find(({ table }) => table === "checkpoint_values");
  expect(value?.["row"]).toHaveProperty("data", { base64: "AP8KDQAA" });
  expect(lines.at(-1)).toMatchObject({
    end: { rows: { threads: 2, runs: 4 } },
  });
  expect(lines).toHaveLength(
    2 + Object.values(movedRows(2)).reduce((sum, rows) => sum + rows.length, 0),
  );
});

test("a run that is being executed goes to the queue where it arrives", async () => {
  const rows = movedRows(1);
  const source = await open(rows);
  await source.transaction(async (tx) => {
    await tx.query(sql`
      insert into instances (instance_id, lease_until) values ('one', ${new Date(0)})`);
    await tx.query(sql`
      update runs set q = 'running', status = 'running', owner = 'one' where q = 'ready'`);
  });
  await exportTo(fileNamed("a.jsonl"), source);
  const target = await open();
  await bringIn(fileNamed("a.jsonl"), target);
  expect((await allMoved(target))["runs"]).toEqual(rows["runs"]);
});

describe("an import that was interrupted", () => {
  test("goes on where it stopped", async () => {
    const rows = movedRows(400);
    const path = await exported(rows);
    const target = await open();
    let batches = 0;
    const interrupted = importFrom(path, target, {
      onConflict: "refuse",
      onProgress: () => {
        batches += 1;
        if (batches === 3) throw new Error("interrupted");
      },
    });
    await expect(interrupted).rejects.toThrow("interrupted");
    const before = (await allMoved(target))["threads"]?.length ?? 0;
    expect(before).toBeGreaterThan(100);
    expect(before).toBeLessThan(390);
    const report = await bringIn(path, target);
    expect(report.continuedAfter).toBeGreaterThan(1000); // lines
    expect(report.tables["threads"]).toEqual({
      ...{ added: 400 - before, replaced: 0, kept: 0 },
    });
    expect(await allMoved(target)).toEqual(await allMoved(await open(rows)));
  });

  test("inside of a large thread keeps nothing of it out, whatever happens to conflicts", async () => {
    const rows = movedRows(1);
    const [value] = rows["checkpoint_values"] as [Row];
    rows["checkpoint_values"] = Array.from({ length: 12 }, (_, index) => ({
      ...value,
      hash: `large ${index}`,
      data: Buffer.alloc(2 * 1024 * 1024, index),
    }));
    const path = await exported(rows);
    const whole = await allMoved(await open(rows));
    for (const onConflict of ["keep", "replace"] as const) {
      const target = await open();
      const interrupted = importFrom(path, target, {
        onConflict,
        onProgress: () => {
          throw new Error("interrupted");
        },
      });
      await expect(interrupted).rejects.toThrow("interrupted");
      const halfway = await allMoved(target);
      expect(halfway["threads"]).toHaveLength(1);
      expect(halfway["runs"]).toEqual([]); // they come when all else of their thread is there
      await bringIn(path, target, onConflict);
      expect(await allMoved(target)).toEqual(whole);
    }
  });

  test("cannot end with a part of the file", async () => {
    const path = await exported(movedRows(30));
    const lines = readFileSync(path, "utf8").trimEnd().split("\n");
    writeFileSync(path, lines.slice(0, -20).join("\n"));
    await expect(bringIn(path, await open())).rejects.toThrow(/ends early/);
    lines.splice(40, 1);
    writeFileSync(path, lines.join("\n"));
    await expect(bringIn(path, await open())).rejects.toThrow(/ends early/);
  });
});

describe("a database that is not empty", () => {
  test("is left as it is by what it has already", async () => {
    const rows = movedRows(40);
    const path = await exported(rows);
    const target = await open(rows);
    const before = await allMoved(target);
    for (const onConflict of ["refuse", "keep"] as const) {
      const { tables } = await bringIn(path, target, onConflict);
      for (const { added, replaced } of Object.values(tables))
        expect([added, replaced]).toEqual([0, 0]);
    }
    expect(await allMoved(target)).toEqual(before);
  });

  /** Threads 0 and 1 of the target differ, 2 is missing there, 3 is alike. */
  async function differing(): Promise<{ path: string; target: Database }> {
    const path = await exported(movedRows(4));
    const target = await open(movedRows(4));
    await target.transaction(async (tx) => {
      await tx.query(sql`
        update threads set metadata = '{"mine":true}' where thread_id = ${idOf("thread", 0)}`);
      await tx.query(sql`
        update checkpoint_values set data = ${Buffer.from("mine")} where thread_id = ${idOf("thread", 1)}`);
      await tx.query(
        sql`delete from threads where thread_id = ${idOf("thread", 2)}`,
      );
      await tx.query(sql`
        insert into event_segments (thread_id, first_seq, last_seq, run_id, attempt, events, created_at)
        values (${idOf("thread", 0)}, 8, 9, 'mine', 1, '', ${new Date(0)})`);
    });
    return { path, target };
  }

  test("refuses a file with other content, names it, and stays as it is", async () => {
    const { path, target } = await differing();
    const before = await allMoved(target);
    const refused = bringIn(path, target);
    await expect(refused).rejects.toThrow(`thread ${idOf("thread", 0)}`);
    await expect(refused).rejects.toThrow(/^2 in the database differ/);
    expect(await allMoved(target)).toEqual(before);
  });

  test("keeps its own threads whole when it is told to", async () => {
    const { path, target } = await differing();
    const before = await allMoved(target);
    const { tables } = await bringIn(path, target, "keep");
    expect(tables["threads"]).toEqual({ added: 1, replaced: 0, kept: 3 });
    const after = await allMoved(target);
    const ofOthers = (row: Row) => row["thread_id"] !== idOf("thread", 2);
    for (const table of ["threads", "checkpoint_values", "event_segments"])
      expect(after[table]?.filter(ofOthers)).toEqual(before[table]);
    expect(after["runs"]).toHaveLength(8);
  });

  test("takes the file's threads whole when it is told to", async () => {
    const { path, target } = await differing();
    const { tables } = await bringIn(path, target, "replace");
    expect(tables["threads"]).toEqual({ added: 1, replaced: 3, kept: 0 });
    expect(await allMoved(target)).toEqual(
      await allMoved(await open(movedRows(4))),
    );
  });
});

describe("a file is refused that", () => {
  const refused: Record<string, [text: string, message: RegExp]> = {
    "is none of ours": ["hello\n", /is no file of spool export/],
    "is empty": ["", /is no file of spool export/],
    "has a newer format": [
      '{"spool":"export","format":2,"schema":1}\n',
      /has format 2, this version of Spool reads 1/,
    ],
    "has a newer schema": [
      '{"spool":"export","format":1,"schema":9999,"version":"9.9.9"}\n',
      /newer version of Spool \(9\.9\.9\)/,
    ],
    "has a table that nobody knows": [
      '{"spool":"export","format":1,"schema":1,"export_id":"x"}\n{"table":"migrations","row":{}}\n',
      /line 2 .* knows no table migrations/,
    ],
    "has a damaged line": [
      '{"spool":"export","format":1,"schema":1,"export_id":"x"}\n{"table":"thr',
      /line 2 .* is damaged/,
    ],
    "has SQL for a column": [
      '{"spool":"export","format":1,"schema":1,"export_id":"x"}\n{"table":"threads","row":{"thread_id\\") --":1}}\n{"end":{"rows":{"threads":1}}}\n',
      /is no name of a column/,
    ],
  };

  test.each(Object.entries(refused))("%s", async (_name, [text, message]) => {
    const path = fileNamed("bad.jsonl");
    writeFileSync(path, text);
    const target = await open();
    await expect(bringIn(path, target)).rejects.toThrow(message);
    for (const rows of Object.values(await allMoved(target)))
      expect(rows).toEqual([]);
  });

  test("is not there, or no gzip file as its name says", async () => {
    const target = await open();
    await expect(bringIn(fileNamed("none"), target)).rejects.toThrow(
      /there is no file/,
    );
    writeFileSync(fileNamed("bad.gz"), "hello");
    await expect(bringIn(fileNamed("bad.gz"), target)).rejects.toThrow(
      /cut off, or not gzipped/,
    );
  });
});
