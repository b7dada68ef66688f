/*
 * What does a thread search cost, with the exact total, by what it asks for?
 * Half of the threads are of one team, a few have a rare label, one in a
 * hundred an owner. And what do the indexes cost whoever creates threads, or
 * moves one from idle to busy and back?
 *
 *   node --import @oxc-node/core/register bench/thread-search.ts [threads]
 */
import { cpus } from "node:os";
import { performance } from "node:perf_hooks";
import type { z } from "zod";
import type { JsonObject } from "../src/lib/json.ts";
import { uuid7 } from "../src/lib/uuid.ts";
import type { AccessFilter } from "../src/model/access.ts";
import type { threadSearch } from "../src/model/thread-search.ts";
import { searchThreads } from "../src/services/thread-search.ts";
import { markThreadBusy } from "../src/storage/thread-turn.ts";
import { insertThread, setThreadSnapshot } from "../src/storage/threads.ts";
import { openTestDatabase } from "../test/support/databases.ts";
import { search } from "../test/support/threads.ts";

const threads = Number(process.argv[2] ?? 100_000);
const GROUP = 250;
const ROUNDS = 41;

const { database, close } = await openTestDatabase();
const ids: string[] = [];

async function rate(
  count: number,
  write: (index: number) => Promise<unknown>,
): Promise<number> {
  const started = performance.now();
  for (let from = 0; from < count; from += GROUP)
    await Promise.all(
      Array.from({ length: Math.min(GROUP, count - from) }, (_, index) =>
        write(from + index),
      ),
    );
  return Math.round((count * 1000) / (performance.now() - started));
}

const metadataOf = (index: number): JsonObject => ({
  team: index % 2 === 0 ? "common" : "other",
  owner: `user-${index % 100}`,
  graph_id: "agent",
  ...(index % (threads / 10) === 0 ? { label: "rare" } : {}),
});

function create(metadata: JsonObject): Promise<unknown> {
  const thread_id = uuid7();
  ids.push(thread_id);
  return database.transaction((tx) =>
    insertThread(tx, { thread_id, metadata, ttl: null }),
  );
}

async function turn(thread_id: string): Promise<void> {
  const assistant_id = "fe096781-5601-53d2-b2f6-0d3403f7e9ca";
  await database.transaction((tx) =>
    markThreadBusy(tx, {
      ...{ thread_id, graph_id: "agent", assistant_id },
      hasTurn: true,
    }),
  );
  await database.transaction((tx) =>
    setThreadSnapshot(tx, thread_id, {
      status: "idle",
      snapshot: null,
      error: null,
    }),
  );
}

async function timeOf(
  body: z.input<typeof threadSearch>,
  access: AccessFilter = null,
) {
  const times: number[] = [];
  let total = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    const start = performance.now();
    ({ total } = await searchThreads({ database }, { access }, search(body)));
    times.push(performance.now() - start);
  }
  times.sort((a, b) => a - b);
  return {
    ms: Number((times[(ROUNDS - 1) / 2] ?? 0).toFixed(2)),
    total,
  };
}

const inserts = await rate(threads, (index) => create(metadataOf(index)));
const plainInserts = await rate(10_000, () => create({}));
const turns = await rate(5000, (index) => turn(ids[index] ?? ""));
for (const id of ids.slice(0, 20))
  await database.transaction((tx) =>
    setThreadSnapshot(tx, id, { status: "busy", snapshot: null, error: null }),
  );

const owner = { owner: "user-7" };
const searches = {
  all: await timeOf({}),
  idle: await timeOf({ status: "idle" }),
  busy: await timeOf({ status: "busy" }),
  error: await timeOf({ status: "error" }),
  common: await timeOf({ metadata: { team: "common" } }),
  one_percent: await timeOf({ metadata: owner }),
  rare: await timeOf({ metadata: { label: "rare" } }),
  absent: await timeOf({ metadata: { label: "none" } }),
  common_idle: await timeOf({
    metadata: { team: "common" },
    status: "idle",
  }),
  two_common: await timeOf({
    metadata: { team: "common", graph_id: "agent" },
  }),
  owner_sees: await timeOf({ metadata: { graph_id: "agent" } }, owner),
};
await close();

process.stdout.write(
  `${JSON.stringify({
    bench: "thread-search",
    machine: `${cpus()[0]?.model ?? "unknown"} x ${cpus().length}`,
    node: process.version,
    threads,
    inserts_per_s: inserts,
    inserts_without_metadata_per_s: plainInserts,
    turns_per_s: turns,
    searches,
  })}\n`,
);
