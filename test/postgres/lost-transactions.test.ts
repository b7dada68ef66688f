import { expect, onTestFinished, test } from "vitest";
import type { PostgresDatabase } from "../../src/storage/postgres.ts";
import { first, type Queryable } from "../../src/storage/database.ts";
import { raw, sql } from "../../src/storage/sql.ts";
import { connectTo } from "../support/ask-postgres.ts";
import { administer, createDatabase } from "../support/postgres.ts";
import { waitFor } from "../support/wait.ts";

async function open(): Promise<PostgresDatabase> {
  const { uri, drop } = await createDatabase({ migrated: false });
  const database = connectTo(uri);
  onTestFinished(async () => {
    await database.close();
    await drop();
  });
  await database.script("create table counted (number integer)");
  return database;
}

const pidOf = async (db: Queryable): Promise<number> =>
  (await first<{ pid: number }>(db, raw("select pg_backend_pid() as pid")))!
    .pid;

const isGone = async (db: Queryable, pid: number): Promise<boolean> =>
  (await first(
    db,
    sql`select 1 as found from pg_stat_activity where pid = ${pid}`,
  )) === null;

const counted = (db: Queryable) => db.query(raw("select number from counted"));

test("a transaction whose backend is terminated between two of its statements is done anew, and the process goes on", async () => {
  const database = await open();
  let attempts = 0;
  await database.transaction(async (tx) => {
    attempts += 1;
    const pid = await pidOf(tx);
    await tx.query(raw("insert into counted values (1)"));
    if (attempts > 1) return;
    await administer(`select pg_terminate_backend(${pid})`);
    // The news has the time to arrive while no statement waits for it.
    await waitFor("the backend is gone", () => isGone(database, pid));
  });
  expect(attempts).toBe(2);
  expect(await counted(database)).toEqual([{ number: 1 }]);
});

test("who stands still in the midst of a transaction lets go of what it has locked", async () => {
  const [frozen, other] = [await open(), await open()];
  await frozen.script("insert into counted values (1)");
  let attempts = 0;
  await frozen.transaction(async (tx) => {
    attempts += 1;
    const pid = await pidOf(tx);
    await tx.query(raw("update counted set number = number + 1"));
    if (attempts === 1)
      await waitFor("it has let go", () => isGone(other, pid));
  });
  expect(attempts).toBe(2);
  expect(await counted(frozen)).toEqual([{ number: 2 }]);
});
