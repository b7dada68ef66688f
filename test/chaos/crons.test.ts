/**
 * Crons by the second, over kill -9 of the server in the midst of firing them.
 * Each tick has one run, whatever moment the kill came at, and no tick is left
 * out: a server that is back within a minute is late, and has missed nothing.
 *
 * `CHAOS_ROUNDS` makes it longer.
 */
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { sql } from "../../src/storage/sql.ts";
import { SqliteDatabase } from "../../src/storage/sqlite.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { waitFor } from "../support/wait.ts";
import { DATABASE, requireWhole } from "./data-folder.ts";

const ROUNDS = Number(process.env["CHAOS_ROUNDS"] ?? 6);
const CRONS = 120;

interface Fired {
  cron_id: string;
  scheduled_at: string;
  run_id: string;
}

/** What a server that is not running has fired: ticks as they are written down, and runs as they say whose they are. */
async function readData(dataDir: string) {
  const copy = mkdtempSync(join(tmpdir(), "spool-copy-"));
  try {
    cpSync(dataDir, copy, { recursive: true });
    await using database = new SqliteDatabase({
      path: join(copy, DATABASE),
      durability: "relaxed",
    });
    const ticks = await database.query<Fired>(
      sql`select cron_id, scheduled_at, run_id from cron_ticks order by cron_id, scheduled_at`,
    );
    const runs = await database.query<{
      run_id: string;
      metadata: { cron_id: string };
    }>(sql`select run_id, metadata from runs`);
    return { ticks, runs };
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

/** Half of them on threads of their own making, half on threads that stay. */
async function createCrons({ client }: TestServer): Promise<Set<string>> {
  const payload = { schedule: "* * * * * *", input: { text: "a" } };
  const crons = await Promise.all(
    Array.from({ length: CRONS }, async (_, index) => {
      if (index % 2 === 0) return client.crons.create("fan-out", payload);
      const { thread_id } = await client.threads.create();
      return client.crons.createForThread(thread_id, "fan-out", payload);
    }),
  );
  return new Set(
    crons.map((cron) => (cron as unknown as { cron_id: string }).cron_id),
  );
}

test(
  "each tick has one run, however often the server is killed while it fires",
  { timeout: 60_000 + ROUNDS * 20_000 },
  async () => {
    // Nothing executes the runs, so that all there is to do is to create them.
    const server = await startServer({ flags: ["--n-jobs-per-worker", "0"] });
    const crons = await createCrons(server);
    for (let round = 1; round <= ROUNDS; round += 1) {
      // Soon after a second has begun, the ticks of it are fired.
      await delay(2000 - (Date.now() % 1000) + Math.random() * 60);
      await server.kill9();
      await requireWhole(server.dataDir);
      await server.start();
    }
    await waitFor("they fire again", async () => {
      const found = await server.client.crons.search({
        sortBy: "next_run_date",
        sortOrder: "asc",
        limit: 1,
      });
      return Date.parse(found[0]?.next_run_date ?? "") > Date.now();
    });
    await server.stop();

    const { ticks, runs } = await readData(server.dataDir);
    expect(new Set(ticks.map(({ cron_id }) => cron_id))).toEqual(crons);
    const ofRuns = runs.map(({ run_id }) => run_id).sort();
    expect(ofRuns).toEqual(ticks.map(({ run_id }) => run_id).sort());
    const cronOf = new Map(runs.map((run) => [run.run_id, run.metadata]));
    for (const { run_id, cron_id } of ticks)
      expect(cronOf.get(run_id)?.cron_id).toBe(cron_id);
    for (const cron of crons) {
      const seconds = ticks
        .filter(({ cron_id }) => cron_id === cron)
        .map(({ scheduled_at }) => Date.parse(scheduled_at) / 1000);
      const first = seconds[0] ?? 0;
      expect(seconds).toEqual(seconds.map((_, index) => first + index));
      expect(seconds.length).toBeGreaterThan(ROUNDS);
    }
  },
);
