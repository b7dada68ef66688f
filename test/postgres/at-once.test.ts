import { expect, onTestFinished, test } from "vitest";
import type { PostgresDatabase } from "../../src/storage/postgres.ts";
import { raw, sql } from "../../src/storage/sql.ts";
import { connectTo } from "../support/ask-postgres.ts";
import { createDatabase } from "../support/postgres.ts";

async function open(): Promise<PostgresDatabase> {
  const { uri, drop } = await createDatabase({ migrated: false });
  const database = connectTo(uri);
  onTestFinished(async () => {
    await database.close();
    await drop();
  });
  await database.script(`
    create table counted (name text primary key, number integer not null, seq integer not null);
    insert into counted values ('a', 1, 1), ('b', 1, 1)`);
  return database;
}

const counted = (database: PostgresDatabase) =>
  database.query(raw("select name, number from counted order by name"));

const raised = (name: string, seq = 1) => ({
  needs: 1,
  statement: sql`
    update counted set number = number + 1
    where name = ${name} and seq = ${seq} returning name`,
});

const put = (name: string) => ({
  statement: sql`insert into counted values (${name}, 5, 5)`,
});

test("statements that are stored at once are all stored", async () => {
  const database = await open();
  const parts = [raised("a"), raised("b"), put("c"), put("d")];
  expect(await database.writeAtOnce(parts)).toBeNull();
  expect(await counted(database)).toEqual([
    { name: "a", number: 2 },
    { name: "b", number: 2 },
    { name: "c", number: 5 },
    { name: "d", number: 5 },
  ]);
});

test("none of them is when one has not given the rows that it needs, and the connection is used again", async () => {
  const database = await open();
  const pid = () => database.query(raw("select pg_backend_pid() as pid"));
  const before = await pid();
  const parts = [raised("a"), raised("b", 2), put("c")];
  expect(await database.writeAtOnce(parts)).toBe(1);
  expect(await database.writeAtOnce(parts)).toBe(1);
  expect(await pid()).toEqual(before);
  expect(await counted(database)).toEqual([
    { name: "a", number: 1 },
    { name: "b", number: 1 },
  ]);
});

test("what another transaction has changed meanwhile counts: the row is judged as it is once that has let go of it", async () => {
  const database = await open();
  const waiting = await database.transaction(async (tx) => {
    await tx.query(raw("update counted set seq = 2 where name = 'a'"));
    const writing = database.writeAtOnce([raised("a"), put("c")]);
    for (;;) {
      const [row] = await tx.query(
        raw("select 1 as found from pg_locks where not granted"),
      );
      if (row !== undefined) return { writing };
    }
  });
  expect(await waiting.writing).toBe(0);
  expect(await counted(database)).toHaveLength(2);
});

test("an error of another kind is told as what it is", async () => {
  const database = await open();
  const cast = {
    statement: sql`insert into counted values ('c', cast(${"x"} as text)::integer, 1)`,
  };
  await expect(database.writeAtOnce([raised("a"), cast])).rejects.toThrow(
    'invalid input syntax for type integer: "x"',
  );
  expect(await counted(database)).toHaveLength(2);
});
