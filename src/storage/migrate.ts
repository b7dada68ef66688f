import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { first, type Queryable } from "./database.ts";
import { raw } from "./sql.ts";
import type { SqliteDatabase } from "./sqlite.ts";

const DIRECTORY = fileURLToPath(
  new URL("./migrations/sqlite/", import.meta.url),
);

/**
 * Brings the schema up to date. Migrations are numbered and append-only. A
 * file that a newer Spool has changed is refused rather than misread.
 */
export async function migrate(database: SqliteDatabase): Promise<void> {
  database.script(
    "create table if not exists migrations (number integer primary key, name text not null) strict",
  );
  const applied = await schemaNumber(database);
  const files = migrationFiles();
  const newest = files.length;
  if (applied > newest)
    throw new Error(
      `the data was written by a newer version of Spool (schema ${applied}, this version knows ${newest}); update Spool or choose another --data-dir`,
    );
  files.slice(applied).forEach((name, index) => {
    const number = applied + index + 1;
    // The number goes in first: of two that race, one fails on the key and changes nothing.
    database.script(
      `begin immediate;
       insert into migrations (number, name) values (${number}, '${name}');
       ${readFileSync(DIRECTORY + name, "utf8")}
       commit;`,
    );
  });
}

const migrationFiles = (): string[] =>
  readdirSync(DIRECTORY)
    .filter((name) => name.endsWith(".sql"))
    .sort();

/** What `migrate` brings a database to. */
export const newestSchema = (): number => migrationFiles().length;

/** Of the newest migration that the database has had; 0 for none. */
export async function schemaNumber(db: Queryable): Promise<number> {
  const row = await first<{ number: number | null }>(
    db,
    raw("select max(number) as number from migrations"),
  );
  return row?.number ?? 0;
}
