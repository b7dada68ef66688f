import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Logger } from "../lib/logger.ts";
import type { Database } from "./database.ts";
import { lockDirectory } from "./directory-lock.ts";
import { migrate, type Migratable } from "./migrate.ts";
import { leadsToPooler } from "./postgres-address.ts";
import { PostgresDatabase, type PostgresOptions } from "./postgres.ts";
import { SqliteDatabase } from "./sqlite.ts";

export interface StorageSettings {
  dataDir: string;
  durability: "full" | "relaxed";
  /** Null: a SQLite file in the data folder. */
  postgres: {
    uri: string;
    directUri: string | null;
    poolSize: number;
    /** Null: unless a pooler is in between. */
    prepares: boolean | null;
  } | null;
}

/** Opens the database that the settings name and brings its schema up to date. Closing it lets go of the data folder too. */
export async function openDatabase(
  { dataDir, durability, postgres }: StorageSettings,
  log: Logger,
): Promise<Database & Migratable> {
  const database =
    postgres === null
      ? openFile(dataDir, durability)
      : await openPostgres(postgres, { durability, log });
  try {
    await migrate(database);
    return database;
  } catch (cause) {
    await database.close();
    throw cause;
  }
}

/** As it is, whatever its schema. */
export async function openPostgres(
  settings: NonNullable<StorageSettings["postgres"]>,
  rest: Pick<PostgresOptions, "durability" | "log">,
): Promise<PostgresDatabase> {
  const { uri, directUri, prepares } = settings;
  const isPooled = await leadsToPooler(uri);
  if (isPooled && directUri === null)
    rest.log.warn(
      "the address of the database leads to a pooler: what other instances do is looked for four times a second; set POSTGRES_DIRECT_URI to hear of it at once (see docs/scaling.md)",
    );
  return new PostgresDatabase({
    ...settings,
    ...rest,
    isPooled,
    prepares: prepares ?? !isPooled,
  });
}

/** The folder belongs to one server at a time, from before the file is opened until it is closed. */
function openFile(
  dataDir: string,
  durability: StorageSettings["durability"],
): SqliteDatabase {
  mkdirSync(dataDir, { recursive: true });
  const lock = lockDirectory(dataDir);
  try {
    return new SqliteDatabase({
      path: join(dataDir, "spool.db"),
      durability,
      onClosed: () => lock[Symbol.dispose](),
    });
  } catch (cause) {
    lock[Symbol.dispose]();
    throw cause;
  }
}
