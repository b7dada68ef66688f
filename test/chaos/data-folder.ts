import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { migrate } from "../../src/storage/migrate.ts";
import { raw } from "../../src/storage/sql.ts";
import { SqliteDatabase } from "../../src/storage/sqlite.ts";
import { INVARIANTS } from "./invariants.ts";
import { missingValues } from "./missing-values.ts";

export const DATABASE = "spool.db";

interface Inspection {
  problems: string[];
  threads: Set<string>;
}

/** Returns the ids of its threads. Throws what is wrong with it. */
export async function requireWhole(dataDir: string): Promise<Set<string>> {
  const { problems, threads } = await inspectCopy(dataDir);
  if (problems.length === 0) return threads;
  const shown = problems.slice(0, 10).join("\n  ");
  throw new Error(`${problems.length} problems in the data:\n  ${shown}`);
}

/** What a data folder holds, and what is wrong with it. Looks at a copy, so that nothing is repaired on the way. */
async function inspectCopy(dataDir: string): Promise<Inspection> {
  const directory = mkdtempSync(join(tmpdir(), "spool-copy-"));
  try {
    cpSync(dataDir, directory, { recursive: true });
    return await inspect(join(directory, DATABASE));
  } catch (error) {
    const problem = `the database cannot be read: ${String(error)}`;
    return { problems: [problem], threads: new Set() };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Opens and migrates the database as a server does, then asks it whether all that belongs together is there. */
async function inspect(path: string): Promise<Inspection> {
  await using database = new SqliteDatabase({ path, durability: "relaxed" });
  await migrate(database);
  const problems: string[] = [];
  const find = async (what: string, text: string) => {
    const rows = await database.query<Record<string, unknown>>(raw(text));
    for (const row of rows) problems.push(`${what}: ${JSON.stringify(row)}`);
  };
  await find(
    "the file is damaged",
    "select * from pragma_integrity_check where integrity_check <> 'ok'",
  );
  await find("a row has lost its parent", "pragma foreign_key_check");
  for (const [what, text] of Object.entries(INVARIANTS)) await find(what, text);
  problems.push(...(await missingValues(database)));
  const rows = await database.query<{ thread_id: string }>(
    raw("select thread_id from threads"),
  );
  return { problems, threads: new Set(rows.map(({ thread_id }) => thread_id)) };
}
