/*
 * What does the end of a turn write to the row of a thread? One thread whose
 * list of messages grows by a question and an answer per turn: the first
 * turns, and those at two megabytes. Bytes are what the write-ahead log grows
 * by, with everything that SQLite adds to it.
 *
 *   node --import @oxc-node/core/register bench/thread-values.ts [turns] [bytes per message]
 */
import { statSync } from "node:fs";
import { cpus } from "node:os";
import { performance } from "node:perf_hooks";
import type { JsonObject } from "../src/lib/json.ts";
import { uuid7 } from "../src/lib/uuid.ts";
import { getThread, insertThread } from "../src/storage/threads.ts";
import { openTestFile } from "../test/support/databases.ts";
import { giveValues } from "../test/support/threads.ts";

const turns = Number(process.argv[2] ?? 1000);
const messageBytes = Number(process.argv[3] ?? 1000);
const MEASURED = 40;

const { database, path, close } = await openTestFile();
await database.script("pragma wal_autocheckpoint = 0");
const thread_id = uuid7();
await database.transaction((tx) =>
  insertThread(tx, { thread_id, metadata: {}, ttl: null }),
);

const message = (type: string, turn: number): JsonObject => ({
  type,
  id: uuid7(),
  content: `${turn} `.repeat(messageBytes).slice(0, messageBytes),
});
const messages: JsonObject[] = [];
const say = (turn: number) => {
  messages.push(message("human", turn), message("ai", turn));
};

async function measure(from: number) {
  await database.script("pragma wal_checkpoint(truncate)");
  const times: number[] = [];
  for (let turn = from; turn < from + MEASURED; turn += 1) {
    say(turn);
    const start = performance.now();
    await giveValues(database, thread_id, { turn, messages, done: true });
    times.push(performance.now() - start);
  }
  times.sort((a, b) => a - b);
  return {
    bytes_per_turn: Math.round(statSync(`${path}-wal`).size / MEASURED),
    p50_ms: Number((times[MEASURED / 2] ?? 0).toFixed(2)),
  };
}

const first = await measure(0);
for (let turn = MEASURED; turn < turns - MEASURED; turn += 1) say(turn);
await giveValues(database, thread_id, { turn: turns, messages, done: true });
const last = await measure(turns - MEASURED);
const started = performance.now();
const thread = await getThread(database, thread_id, null);
const readMs = Number((performance.now() - started).toFixed(2));
await close();

process.stdout.write(
  `${JSON.stringify({
    bench: "thread-values",
    machine: `${cpus()[0]?.model ?? "unknown"} x ${cpus().length}`,
    node: process.version,
    turns,
    values_bytes: JSON.stringify(thread?.values).length,
    first_turns: first,
    last_turns: last,
    read_ms: readMs,
  })}\n`,
);
