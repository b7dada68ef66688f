import { expect, test } from "vitest";
import { threadSearch } from "../../src/model/thread-search.ts";
import { raw } from "../../src/storage/sql.ts";
import { weighFilters } from "../../src/storage/thread-filters.ts";
import { searchThreads } from "../../src/storage/thread-search.ts";
import { openTestDatabase } from "../support/databases.ts";

const THREADS = 20_000;
const USERS = 2000;

test("a page of the few threads with an entry reads no others, whichever documents the planner has in its sample", async () => {
  await using opened = await openTestDatabase();
  const { database } = opened;
  await database.script(`
    insert into threads (thread_id, created_at, updated_at, state_updated_at, metadata)
    select gen_random_uuid(), at, at, at, jsonb_build_object('user', 'u' || n % ${USERS})
    from (select n, now() - n * interval '1 second' as at from generate_series(1, ${THREADS}) as n) as numbers;
    analyze threads`);
  const sample = await database.query<{ user: string }>(
    raw(`
    select bound ->> 'user' as user
    from pg_stats, unnest(cast(cast(histogram_bounds as text) as jsonb[])) as bound
    where tablename = 'threads' and attname = 'metadata'`),
  );
  const page = { ...threadSearch.parse({}), columns: new Set<never>() };
  const rowsRead = raw(`
    select idx_tup_fetch + seq_tup_read as read
    from pg_stat_xact_user_tables where relname = 'threads'`);
  const inside = sample.slice(1, -1);
  expect(inside.length).toBeGreaterThan(50);
  for (const metadata of inside.slice(0, 5)) {
    const [before, after] = await database.transaction(async (tx) => {
      const filters = await weighFilters(tx, { metadata }, null);
      const [before] = await tx.query<{ read: number }>(rowsRead);
      const found = await searchThreads(tx, page, filters);
      expect(found).toHaveLength(THREADS / USERS);
      const [after] = await tx.query<{ read: number }>(rowsRead);
      return [before?.read, after?.read];
    });
    expect(Number(after) - Number(before)).toBeGreaterThan(0);
    expect(Number(after) - Number(before)).toBeLessThan(100);
  }
});
