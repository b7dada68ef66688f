import { inject } from "vitest";
import { askPostgres } from "./ask-postgres.ts";
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
  const found = await askPostgres(
    inject("postgresUri"),
    "select 1 from pg_available_extensions where name = 'vector'",
  );
  return found.length > 0;
}
