import { copyFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { SqliteDatabase } from "../../src/storage/sqlite.ts";
import { sql } from "../../src/storage/sql.ts";
import {
  fillDisk,
  openTestFile,
  sqliteDrivers,
  type TestFile,
} from "../support/databases.ts";

describe.each(sqliteDrivers())("a database on $name", (driver) => {
  let opened: TestFile;
  let database: SqliteDatabase;

  beforeEach(async () => {
    opened = await openTestFile(driver);
    database = opened.database;
  });

  afterEach(() => opened.close());

  const put = (key: string, value = "1") =>
    database.transaction((tx) =>
      tx.query(sql`
        insert into store_items (namespace, key, value, created_at, updated_at)
        values ('n', ${key}, ${value}, 0, 0)`),
    );

  const keys = async () => {
    const rows = await database.query<{ key: string }>(
      sql`select key from store_items order by key`,
    );
    return rows.map(({ key }) => key);
  };

  it("is one file after a clean stop", async () => {
    await put("a");
    const copy = `${opened.path}.copy`;
    await database.close();
    copyFileSync(opened.path, copy);
    const reader = driver.open(copy, { readOnly: true });
    const rows = reader.prepare("select key from store_items").all();
    reader.close();
    expect(rows).toMatchObject([{ key: "a" }]);
  });

  it("keeps what the others of a group wrote when one of them fails", async () => {
    await put("b");
    const group = [put("a"), put("b"), put("c")];
    const settled = await Promise.allSettled(group);
    expect(settled.map(({ status }) => status)).toEqual([
      "fulfilled",
      "rejected",
      "fulfilled",
    ]);
    expect(await keys()).toEqual(["a", "b", "c"]);
  });

  it("says that the disk is full, acknowledges nothing that is not there, and goes on when there is room", async () => {
    const grow = fillDisk(database);
    const names = Array.from({ length: 20 }, (_, n) => `k${n}`);
    const settled = await Promise.allSettled(
      names.map((name) => put(name, "x".repeat(10_000))),
    );
    const failed = settled.filter((one) => one.status === "rejected");
    expect(failed.length).toBeGreaterThan(0);
    for (const { reason } of failed)
      expect(reason).toMatchObject({ code: "storage_full" });
    const acknowledged = names.filter(
      (_, n) => settled[n]?.status === "fulfilled",
    );
    expect(await keys()).toEqual(acknowledged.toSorted());
    grow();
    await put("later", "x".repeat(10_000));
    expect(await keys()).toContain("later");
  });

  it("does first what was asked before its close, and refuses what comes after", async () => {
    const before = put("a");
    const closing = database.close();
    await expect(put("b")).rejects.toMatchObject({ code: "unavailable" });
    await Promise.all([before, closing]);
    await expect(put("c")).rejects.toMatchObject({ code: "unavailable" });
    await delay(0); // a rejection that nobody handles would be seen by now
  });
});
