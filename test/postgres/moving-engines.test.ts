import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { exportTo } from "../../src/moving/export.ts";
import { importFrom } from "../../src/moving/import.ts";
import { openTestDatabase, openTestFile } from "../support/databases.ts";
import { allMoved, insertMovedRows, movedRows } from "../support/moved-data.ts";

test("what goes from SQLite to Postgres and back is what it was, row by row", async () => {
  const folder = mkdtempSync(join(tmpdir(), "spool-moving-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  await using file = await openTestFile();
  await using postgres = await openTestDatabase();
  await using back = await openTestFile();
  await insertMovedRows(file.database, movedRows(300));
  const onConflict = "refuse";
  await exportTo(join(folder, "there.jsonl.gz"), file.database);
  await importFrom(join(folder, "there.jsonl.gz"), postgres.database, {
    onConflict,
  });
  await exportTo(join(folder, "back.jsonl.gz"), postgres.database);
  await importFrom(join(folder, "back.jsonl.gz"), back.database, {
    onConflict,
  });
  const rows = await allMoved(file.database);
  expect(await allMoved(postgres.database)).toEqual(rows);
  expect(await allMoved(back.database)).toEqual(rows);
});
