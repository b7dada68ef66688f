import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { first, type Queryable } from "./database.ts";
import { raw } from "./sql.ts";

/** A database whose schema can be brought up to date. */
export interface Migratable extends Queryable {
  /** Several statements at once, with their own `begin` and `commit`. */
  script(text: string): Promise<void>;
}

interface Migration {
  number: number;
  name: string;
}

/** Why an older server must not serve what this migration has made of the schema; else it may, while a newer one is rolled out. */
const BREAKING = ".breaking.sql";

const DIRECTORY = fileURLToPath(new URL("./migrations/", import.meta.url));

/** Any number, the same for every version: two servers that start do not migrate at the same time. */
const LOCK = 7_766_577;

/**
 * Brings the schema up to date. Migrations are numbered, append-only and
 * additive. What a newer Spool has added is no obstacle, unless it says that
 * it breaks older ones: then this one refuses rather than misreads.
 */
export async function migrate(database: Migratable): Promise<void> {
  const { name: engine } = database.dialect;
  const known = migrationsOf(engine);
  const begin =
    engine === "sqlite"
      ? "begin immediate;"
      : `begin; select pg_advisory_xact_lock(${LOCK});`;
  await database.script(
    `${begin} create table if not exists migrations (number integer primary key, name text not null); commit;`,
  );
  for (;;) {
    const applied = await listApplied(database);
    refuseBroken(applied, known);
    const numbers = new Set(applied.map(({ number }) => number));
    const next = known.find(({ number }) => !numbers.has(number));
    if (next === undefined) return;
    try {
      // The number goes in first: of two that race, one fails on the key and changes nothing.
      await database.script(
        `${begin}
         insert into migrations (number, name) values (${next.number}, '${next.name}');
         ${readFileSync(`${DIRECTORY}${engine}/${next.name}`, "utf8")}
         commit;`,
      );
    } catch (cause) {
      const now = await listApplied(database);
      if (!now.some(({ number }) => number === next.number)) throw cause;
    }
  }
}

function migrationsOf(engine: string): Migration[] {
  return readdirSync(DIRECTORY + engine)
    .filter((name) => name.endsWith(".sql"))
    .sort()
    .map((name) => ({ number: Number.parseInt(name, 10), name }));
}

async function listApplied(database: Queryable): Promise<Migration[]> {
  return database.query(raw("select number, name from migrations"));
}

function refuseBroken(
  applied: readonly Migration[],
  known: readonly Migration[],
): void {
  const numbers = new Set(known.map(({ number }) => number));
  const breaking = applied.find(
    ({ number, name }) => !numbers.has(number) && name.endsWith(BREAKING),
  );
  if (breaking !== undefined)
    throw new Error(
      `the data was written by a newer version of Spool (${breaking.name}) that this one cannot serve; update Spool or choose another database`,
    );
}

/** What `migrate` brings a database to, on every engine. */
export const newestSchema = (): number =>
  Math.max(...migrationsOf("sqlite").map(({ number }) => number));

/** Of the newest migration that the database has had; 0 for none. */
export async function schemaNumber(db: Queryable): Promise<number> {
  const row = await first<{ number: number | null }>(
    db,
    raw("select max(number) as number from migrations"),
  );
  return row?.number ?? 0;
}
