/*
 * Why no transaction is open while user code runs: inserts per second by 32
 * writers on SQLite, alone and beside one caller at a time that waits for a
 * worker (20 ms) inside its transaction, as an update of a thread's state
 * would. Prints one JSON line.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { migrate } from "../src/storage/migrate.ts";
import { SqliteDatabase } from "../src/storage/sqlite.ts";
import { insertThread } from "../src/storage/threads.ts";
import { uuid7 } from "../src/lib/uuid.ts";

const WRITERS = 32;
const SECONDS = 3;
const WORKER_MS = 20;

const directory = mkdtempSync(join(tmpdir(), "spool-bench-"));
const database = new SqliteDatabase({
  path: join(directory, "spool.db"),
  durability: "full",
});
await migrate(database);

const insert = () =>
  database.transaction((tx) =>
    insertThread(tx, { thread_id: uuid7(), metadata: {}, ttl: null }),
  );

/** Inserts per second while `beside` is called over and over by one caller. */
async function insertsPerSecond(
  beside?: () => Promise<unknown>,
): Promise<number> {
  const end = performance.now() + SECONDS * 1000;
  let inserted = 0;
  const writer = async () => {
    while (performance.now() < end) {
      await insert();
      inserted += 1;
    }
  };
  const other = async () => {
    while (beside !== undefined && performance.now() < end) await beside();
  };
  await Promise.all([...Array.from({ length: WRITERS }, writer), other()]);
  return Math.round(inserted / SECONDS);
}

const alone = await insertsPerSecond();
const staged = await insertsPerSecond(async () => {
  await delay(WORKER_MS);
  await insert();
});
const held = await insertsPerSecond(() =>
  database.transaction(async (tx) => {
    await delay(WORKER_MS);
    await insertThread(tx, { thread_id: uuid7(), metadata: {}, ttl: null });
  }),
);
await database.close();
rmSync(directory, { recursive: true });
const machine = { cpus: cpus().length, node: process.version };
process.stdout.write(
  `${JSON.stringify({ bench: "open-transaction", machine, writers: WRITERS, insertsPerSecond: { alone, staged, held } })}\n`,
);
