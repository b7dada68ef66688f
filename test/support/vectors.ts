import pg from "pg";
import { inject } from "vitest";
import { leaveOut } from "./leave-out.ts";
import { isOnPostgres } from "./postgres.ts";

/** Whether `what` can be tested here: Postgres compares vectors with pgvector only. */
export async function canCompareVectors(what: string): Promise<boolean> {
  if (!isOnPostgres() || (await hasPgvector())) return true;
  leaveOut(what, {
    reason: "this Postgres has no pgvector",
    unless: "SPOOL_REQUIRE_PGVECTOR",
  });
  return false;
}

export async function hasPgvector(): Promise<boolean> {
  const client = new pg.Client({ connectionString: inject("postgresUri") });
  await client.connect();
  try {
    const { rowCount } = await client.query(
      "select 1 from pg_available_extensions where name = 'vector'",
    );
    return rowCount !== 0;
  } finally {
    await client.end();
  }
}
