/** Two versions of Spool on one database while the newer is rolled out, and instances that make room for others. */
import {
  cpSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test, vi } from "vitest";
import { uuid7 } from "../../src/lib/uuid.ts";
import type { Queryable } from "../../src/storage/database.ts";
import { newestSchema } from "../../src/storage/migrate.ts";
import { json, raw, sql } from "../../src/storage/sql.ts";
import { weighFilters } from "../../src/storage/thread-filters.ts";
import { askPostgres } from "../support/ask-postgres.ts";
import { openOlderDatabase } from "../support/databases.ts";
import { readNotes } from "../support/diary.ts";
import { sharedDatabase, startInstance } from "../support/instances.ts";
import type { CreatedDatabase } from "../support/postgres.ts";
import {
  CRASH_GRAPHS,
  type ServerOptions,
  type TestServer,
} from "../support/server.ts";
import { waitFor } from "../support/wait.ts";

vi.setConfig({ testTimeout: 120_000 });

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

const server = (
  database: CreatedDatabase,
  options: ServerOptions = {},
): Promise<TestServer> =>
  startInstance(database, { config: CRASH_GRAPHS, ...options });

/** The program of a version that has one migration more. Gives its path. */
function newerVersion(migration: { name: string; text: string }): string {
  const directory = mkdtempSync(join(tmpdir(), "spool-newer-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  cpSync(join(ROOT, "dist"), join(directory, "dist"), { recursive: true });
  cpSync(join(ROOT, "package.json"), join(directory, "package.json"));
  symlinkSync(join(ROOT, "node_modules"), join(directory, "node_modules"));
  const migrations = join(directory, "dist/storage/migrations/postgres");
  writeFileSync(join(migrations, migration.name), migration.text);
  return join(directory, "dist/cli/index.js");
}

async function counted(
  { client, directory }: TestServer,
  steps: number,
  ms: number,
) {
  const file = join(directory, `counted-${crypto.randomUUID()}`);
  const { thread_id } = await client.threads.create();
  const { run_id } = await client.runs.create(thread_id, "counted", {
    input: { file, steps, ms },
    config: { recursion_limit: 1000 },
    durability: "sync",
  });
  const notes = () => readNotes(file);
  return { thread_id, run_id, notes };
}

test("servers that start at once on an empty database migrate it once, and all serve", async () => {
  const database = await sharedDatabase({ migrated: false });
  const servers = await Promise.all(
    Array.from({ length: 5 }, () => server(database)),
  );
  const applied = await askPostgres<{ number: number }>(
    database.uri,
    "select number from migrations order by number",
  );
  expect(applied.at(-1)?.number).toBe(newestSchema());
  expect(new Set(applied.map(({ number }) => number)).size).toBe(
    applied.length,
  );
  const { thread_id } = await servers[0]!.client.threads.create();
  for (const { client } of servers)
    expect((await client.threads.get(thread_id)).thread_id).toBe(thread_id);
});

test("an older server serves on beside a newer one, and starts again on its schema", async () => {
  const database = await sharedDatabase();
  const older = await server(database);
  const before = await counted(older, 2, 1);
  await older.client.runs.join(before.thread_id, before.run_id);
  const newer = await server(database, {
    program: newerVersion({
      name: "9001-future.sql",
      text: `alter table threads add column future text not null default 'new';
        alter table runs add column future jsonb;
        create table futures (thread_id text references threads on delete cascade);`,
    }),
  });
  // Beside it, and started again.
  for (let round = 1; round <= 2; round += 1)
    for (const [one, other] of [
      [older, newer],
      [newer, older],
    ] as const) {
      const run = await counted(one, 3, 1);
      expect(
        await other.client.runs.join(run.thread_id, run.run_id),
      ).toMatchObject({ done: [1, 2, 3] });
      await one.client.threads.delete(run.thread_id);
      if (one === newer) await older.restart();
    }
});

test("a thread that an older server is just writing is in the totals that a newer one begins to keep", async () => {
  await using older = await openOlderDatabase(8, { name: "postgres" });
  const { database, update } = older;
  const filter = { status: "interrupted", metadata: { team: "blue" } } as const;
  const write = (tx: Queryable) =>
    tx.query(sql`
      insert into threads (thread_id, created_at, updated_at, state_updated_at, metadata, status)
      values (${uuid7()}, ${tx.dialect.now}, ${tx.dialect.now}, ${tx.dialect.now}, ${json(filter.metadata)}, ${filter.status})`);
  const waiting = raw(`
    select 1 from pg_locks join pg_database on pg_database.oid = database
    where datname = current_database() and not granted`);
  let updating: Promise<void> | undefined;
  await database.transaction(async (tx) => {
    await write(tx);
    updating = update();
    await waitFor("the update waits for the writer", async () => {
      const locks = await database.query(waiting);
      return locks.length > 0;
    });
  });
  await Promise.all([updating, database.transaction(write)]);
  expect((await weighFilters(database, filter, null)).total).toBe(2);
});

test("an older server refuses to start on a schema that it cannot serve, and says so", async () => {
  const database = await sharedDatabase();
  const older = await server(database);
  await askPostgres(
    database.uri,
    "insert into migrations (number, name) values (9002, '9002-turned.breaking.sql')",
  );
  await expect(older.restart()).rejects.toThrow(
    /written by a newer version of Spool \(9002-turned\.breaking\.sql\).*update Spool/s,
  );
});

test("an instance that is stopped hands its run to another within a second, with no attempt lost", async () => {
  const database = await sharedDatabase();
  const stopped = await server(database, {
    env: { BG_JOB_SHUTDOWN_GRACE_PERIOD_SECS: "1", BG_JOB_MAX_RETRIES: "1" },
  });
  const run = await counted(stopped, 400, 20);
  await waitFor("it runs", () => run.notes().length > 3);
  const other = await server(database);
  const { pid } = run.notes().at(-1)!;
  await stopped.stop();
  await waitFor("it goes on", () => run.notes().at(-1)!.pid !== pid);
  const notes = run.notes();
  const taken = notes.findIndex((note) => note.pid !== pid);
  expect(notes[taken]!.at - notes[taken - 1]!.at).toBeLessThan(1000);
  expect(
    await other.client.runs.join(run.thread_id, run.run_id),
  ).not.toHaveProperty("__error__");
  const steps = run.notes().map(({ step }) => Number(step));
  // The step that was cut off is done again, and no other.
  expect(steps.length - new Set(steps).size).toBeLessThanOrEqual(1);
});

test("an instance that is stopped claims nothing more and ends what it can within its grace", async () => {
  const database = await sharedDatabase();
  const stopped = await server(database, {
    env: { BG_JOB_SHUTDOWN_GRACE_PERIOD_SECS: "60" },
  });
  const run = await counted(stopped, 30, 100);
  await waitFor("it runs", () => run.notes().length > 0);
  const [worker] = stopped.workerPids();
  const other = await server(database);
  const stopping = stopped.stop();
  await waitFor("it stops", () => stopped.output().includes("topping"));
  const later = await Promise.all(
    Array.from({ length: 5 }, () => counted(other, 1, 1)),
  );
  for (const { thread_id, run_id, notes } of later) {
    await other.client.runs.join(thread_id, run_id);
    expect(notes().map(({ pid }) => pid)).not.toContain(worker);
  }
  await stopping;
  const { status } = await other.client.runs.get(run.thread_id, run.run_id);
  expect(status).toBe("success");
  expect(new Set(run.notes().map(({ pid }) => pid))).toEqual(new Set([worker]));
});
