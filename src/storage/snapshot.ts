import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Logger } from "../lib/logger.ts";
import { badRequest, notFound } from "../model/errors.ts";
import type { Queryable } from "./database.ts";
import { newestSchema, schemaNumber } from "./migrate.ts";
import { openPostgres, type StorageSettings } from "./open.ts";
import { openSqliteSnapshot } from "./sqlite.ts";

/** Calls `read` with the data as it is at one moment. Servers may go on using it meanwhile; nothing is changed, not even its schema. */
export async function withSnapshot<T>(
  settings: StorageSettings,
  log: Logger,
  read: (db: Queryable) => Promise<T>,
): Promise<T> {
  const { dataDir, durability, postgres } = settings;
  const readChecked = async (db: Queryable) => {
    await requireNewestSchema(db);
    return read(db);
  };
  if (postgres !== null) {
    await using database = await openPostgres(postgres, { durability, log });
    return await database.snapshot(readChecked);
  }
  const path = join(dataDir, "spool.db");
  if (!existsSync(path))
    throw notFound(
      `there is no data in ${dataDir}; name its folder with --data-dir`,
    );
  using snapshot = openSqliteSnapshot(path);
  return await readChecked(snapshot);
}

async function requireNewestSchema(db: Queryable): Promise<void> {
  const schema = await schemaNumber(db);
  const newest = newestSchema();
  if (schema === newest) return;
  throw badRequest(
    schema < newest
      ? "the data is of an older version of Spool; start this one on it once, or export with that one"
      : "the data is of a newer version of Spool; export with that one",
  );
}
