import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { migrate } from "../../src/storage/migrate.ts";
import {
  SqliteDatabase,
  type SqliteOptions,
} from "../../src/storage/sqlite.ts";
import {
  defaultSqliteDriver,
  loadSqliteDriver,
  type SqliteDriver,
} from "../../src/storage/sqlite-driver.ts";

export interface TestDatabase extends AsyncDisposable {
  database: SqliteDatabase;
  /** The SQLite file, in a directory of its own. */
  path: string;
  /** Closes the database and removes its directory. */
  close(): Promise<void>;
}

/** A migrated, empty database in a directory of its own. */
export async function openTestDatabase(
  driver: SqliteDriver = defaultSqliteDriver(),
  durability: SqliteOptions["durability"] = "relaxed",
): Promise<TestDatabase> {
  const directory = mkdtempSync(join(tmpdir(), "spool-test-"));
  const path = join(directory, "spool.sqlite");
  const database = new SqliteDatabase({ path, durability, driver });
  await migrate(database);
  const close = async () => {
    await database.close();
    rmSync(directory, { recursive: true, force: true });
  };
  return { database, path, close, [Symbol.asyncDispose]: close };
}

/** Every SQLite driver that this runtime has; a storage contract holds on each of them. */
export function drivers(): SqliteDriver[] {
  return (["node:sqlite", "@photostructure/sqlite"] as const)
    .map(loadSqliteDriver)
    .filter((driver) => driver !== null);
}

/** Takes all room for growth from the file, as a full disk does; returns what gives it back. */
export function fillDisk(database: SqliteDatabase): () => void {
  database.script("pragma max_page_count = 1"); // the least that SQLite allows is what is there
  return () => database.script("pragma max_page_count = 1073741823");
}
