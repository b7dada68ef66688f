import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "../config/config.ts";
import { badRequest, notFound } from "../model/errors.ts";
import type { Database, Queryable } from "../storage/database.ts";
import { lockDirectory } from "../storage/directory-lock.ts";
import { migrate, newestSchema, schemaNumber } from "../storage/migrate.ts";
import { openSqliteSnapshot, SqliteDatabase } from "../storage/sqlite.ts";

type Place = Pick<Config, "dataDir">;

/** Calls `read` with the data as it is at one moment. A server may go on using it meanwhile. */
export async function withSnapshot<T>(
  { dataDir }: Place,
  read: (db: Queryable) => Promise<T>,
): Promise<T> {
  const path = join(dataDir, "spool.db");
  if (!existsSync(path))
    throw notFound(
      `there is no data in ${dataDir}; name its folder with --data-dir`,
    );
  using snapshot = openSqliteSnapshot(path);
  const schema = await schemaNumber(snapshot);
  if (schema !== newestSchema())
    throw badRequest(
      schema < newestSchema()
        ? `the data in ${dataDir} is of an older version of Spool; start this one on it once, or export with that one`
        : `the data in ${dataDir} is of a newer version of Spool; export with that one`,
    );
  return await read(snapshot); // awaited: it ends with this scope
}

/** Calls `use` with the database, up to date. No server may have it open. */
export async function withDatabase<T>(
  { dataDir }: Place,
  use: (database: Database) => Promise<T>,
): Promise<T> {
  using _lock = lockDirectory(dataDir);
  await using database = new SqliteDatabase({
    path: join(dataDir, "spool.db"),
    durability: "full",
  });
  await migrate(database);
  return await use(database);
}
