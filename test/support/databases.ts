import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Database } from "../../src/storage/database.ts";
import {
  migrate,
  newestSchema,
  type Migratable,
} from "../../src/storage/migrate.ts";
import {
  SqliteDatabase,
  type SqliteOptions,
} from "../../src/storage/sqlite.ts";
import {
  defaultSqliteDriver,
  loadSqliteDriver,
  type SqliteDriver,
} from "../../src/storage/sqlite-driver.ts";
import { connectTo } from "./ask-postgres.ts";
import { createDatabase, isOnPostgres } from "./postgres.ts";

/** A database that a test may also run scripts on. */
export type ScriptableDatabase = Database & Migratable;

export interface TestDatabase<
  D extends ScriptableDatabase = ScriptableDatabase,
> extends AsyncDisposable {
  database: D;
  /** Closes the database and removes it. */
  close(): Promise<void>;
}

export interface TestFile extends TestDatabase<SqliteDatabase> {
  /** The SQLite file, in a directory of its own. */
  path: string;
}

/** What a storage contract is run on. */
export type TestDriver = SqliteDriver | { readonly name: "postgres" };

const POSTGRES: TestDriver = { name: "postgres" };

/** A migrated, empty database of its own, on the engine that the tests run on. */
export function openTestDatabase(
  driver: TestDriver = isOnPostgres() ? POSTGRES : defaultSqliteDriver(),
): Promise<TestDatabase> {
  return driver.name === "postgres" ? openPostgres() : openTestFile(driver);
}

/** One as a version has left it that did not have this migration yet, nor any after it; `update` brings it up to date. */
export async function openOlderDatabase(
  first: number,
  driver: TestDriver,
): Promise<TestDatabase & { update(): Promise<void> }> {
  const older =
    driver.name === "postgres"
      ? await openPostgres({ migrated: false })
      : openFile(driver);
  const { database } = older;
  // Those that are said to have been applied are not.
  await database.script(
    "create table migrations (number integer primary key, name text not null)",
  );
  for (let number = first; number <= newestSchema(); number += 1)
    await database.script(
      `insert into migrations (number, name) values (${number}, 'not yet')`,
    );
  await migrate(database);
  const update = async () => {
    await database.script("delete from migrations where name = 'not yet'");
    await migrate(database);
  };
  return { ...older, update };
}

/** The same on SQLite, whatever the tests run on. */
export async function openTestFile(
  driver: SqliteDriver = defaultSqliteDriver(),
  durability: SqliteOptions["durability"] = "relaxed",
): Promise<TestFile> {
  const file = openFile(driver, durability);
  await migrate(file.database);
  return file;
}

function openFile(
  driver: SqliteDriver,
  durability: SqliteOptions["durability"] = "relaxed",
): TestFile {
  const directory = mkdtempSync(join(tmpdir(), "spool-test-"));
  const path = join(directory, "spool.sqlite");
  const database = new SqliteDatabase({ path, durability, driver });
  const close = async () => {
    await database.close();
    rmSync(directory, { recursive: true, force: true });
  };
  return { database, path, close, [Symbol.asyncDispose]: close };
}

async function openPostgres({ migrated = true } = {}): Promise<TestDatabase> {
  const { uri, drop } = await createDatabase({ migrated });
  const database = connectTo(uri, { poolSize: 4 });
  if (migrated) await migrate(database);
  const close = async () => {
    await database.close();
    await drop();
  };
  return { database, close, [Symbol.asyncDispose]: close };
}

/** Everything that a storage contract must hold on: Postgres, or every SQLite driver that this runtime has. */
export function drivers(): TestDriver[] {
  return isOnPostgres() ? [POSTGRES] : sqliteDrivers();
}

export function sqliteDrivers(): SqliteDriver[] {
  return (["node:sqlite", "@photostructure/sqlite"] as const)
    .map(loadSqliteDriver)
    .filter((driver) => driver !== null);
}

/** Takes all room for growth from a SQLite file, as a full disk does; returns what gives it back. */
export function fillDisk(database: ScriptableDatabase): () => void {
  void database.script("pragma max_page_count = 1"); // the least that SQLite allows is what is there
  return () => void database.script("pragma max_page_count = 1073741823");
}
