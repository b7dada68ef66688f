import { createHash } from "node:crypto";
import type { Database } from "../../src/storage/database.ts";
import { UNITS } from "../../src/storage/moved-tables.ts";
import {
  insertRows,
  pageOfRows,
  type Row,
} from "../../src/storage/table-rows.ts";

const AT = "2026-03-04T05:06:07.089Z";
const LATER = "2026-03-04T06:00:00.000Z";

/** As long as ids are, and the same every time. */
export const idOf = (kind: string, index: number): string =>
  createHash("sha256")
    .update(`${kind} ${index}`)
    .digest("hex")
    .replace(/^(.{8})(.{4}).(.{3})(.{4})(.{12}).*$/, "$1-$2-7$3-$4-$5");

/** What JSON, text and line ends may trip over. */
const NASTY = 'a "quote" \\ \u2028 line\nbreak 🧵 \u{10ffff} \ufffd';

/** Rows for every table that is moved. */
export function movedRows(threads: number): Record<string, Row[]> {
  const indices = Array.from({ length: threads }, (_, index) => index);
  return {
    assistants: [assistant(0), assistant(1)],
    assistant_versions: [version(0, 1), version(0, 2), version(1, 1)],
    threads: indices.map(thread),
    thread_value_pages: indices.flatMap(pages),
    checkpoint_values: indices.flatMap(values),
    checkpoints: indices.flatMap(checkpoints),
    checkpoint_writes: indices.map(write),
    replaced_writes: indices.map((index) => ({
      ...write(index),
      replaced_by: idOf("run", index),
    })),
    event_segments: indices.map(segment),
    runs: indices.flatMap(runs),
    store_items: indices.map(storeItem),
    webhook_deliveries: indices.map(delivery),
    crons: [cron(0), cron(1)],
    cron_ticks: [AT, LATER].map((scheduled_at) => ({
      cron_id: idOf("cron", 0),
      scheduled_at,
      fired_at: LATER,
      run_id: idOf("run", 0),
    })),
  };
}

export async function insertMovedRows(
  database: Database,
  rows: Record<string, Row[]>,
): Promise<void> {
  await database.transaction(async (tx) => {
    for (const { head, parts } of UNITS)
      for (const table of [head, ...parts])
        await insertRows(tx, table, rows[table.name] ?? []);
  });
}

/** Everything that is moved, by table; bytes as hex, so that a difference can be read. */
export async function allMoved(
  database: Database,
): Promise<Record<string, Row[]>> {
  const all: Record<string, Row[]> = {};
  for (const { head, parts } of UNITS)
    for (const table of [head, ...parts]) {
      const rows = await pageOfRows(database, table, {
        after: null,
        limit: 1_000_000,
      });
      all[table.name] = rows.map(readable);
    }
  return all;
}

const readable = (row: Row): Row =>
  Object.fromEntries(
    Object.entries(row).map(([name, value]) => [
      name,
      value instanceof Uint8Array ? Buffer.from(value).toString("hex") : value,
    ]),
  );

const assistant = (index: number): Row => ({
  assistant_id: idOf("assistant", index),
  graph_id: "agent",
  name: NASTY,
  description: index === 0 ? null : "",
  config: { tags: [], configurable: { deep: { z: 1, a: [null, 1.5] } } },
  context: {},
  metadata: { owner: "ada" },
  version: index === 0 ? 2 : 1,
  created_at: AT,
  updated_at: LATER,
});

function version(index: number, number: number): Row {
  const { updated_at: _, ...row } = assistant(index);
  return { ...row, version: number };
}

const thread = (index: number): Row => ({
  thread_id: idOf("thread", index),
  created_at: AT,
  updated_at: LATER,
  state_updated_at: LATER,
  metadata: { number: index, text: NASTY, team: index % 2 ? "blue" : "red" },
  config: {},
  status: "busy",
  ttl_strategy: "delete",
  ttl_minutes: 1.5,
  expires_at: "2036-01-01T00:00:00.000Z",
  temporary: index % 10 === 9,
  run_seq: 2,
  event_seq: 7,
  values_paged: index % 3 === 0,
  error: { error: "ValueError", message: NASTY },
  interrupts: { task: [{ id: "i", value: NASTY }] },
  values: index % 3 === 0 ? null : { messages: [NASTY, index] },
  rest_status: "idle",
  rest_error: null,
  rest_graph: { graph_id: "agent" },
});

const pages = (index: number): Row[] =>
  index % 3 === 0
    ? ["a", "b"].map((text, page_no) => ({
        thread_id: idOf("thread", index),
        channel_no: 0,
        page_no,
        hash: text,
        text: `${NASTY}${text}`,
      }))
    : [];

const values = (index: number): Row[] =>
  [0, 1].map((number) => ({
    thread_id: idOf("thread", index),
    hash: `hash${number}`,
    type: "bytes",
    data: Buffer.from([0, 255, 10, 13, index % 256, number]),
  }));

const checkpoints = (index: number): Row[] =>
  [0, 1].map((number) => ({
    thread_id: idOf("thread", index),
    checkpoint_ns: "",
    checkpoint_id: idOf("checkpoint", number),
    parent_checkpoint_id: number === 0 ? null : idOf("checkpoint", 0),
    run_id: idOf("run", index),
    created_at: AT,
    metadata: { source: "loop", step: number, writes: null },
    checkpoint: { v: 4, id: NASTY, versions_seen: { a: { b: 1 } } },
    channels: { messages: { json: JSON.stringify(NASTY) } },
  }));

const write = (index: number): Row => ({
  thread_id: idOf("thread", index),
  checkpoint_ns: "",
  checkpoint_id: idOf("checkpoint", 1),
  task_id: idOf("task", index),
  idx: -1,
  task_path: "~__pregel_pull",
  run_id: null,
  channel: "__interrupt__",
  type: "json",
  data: Buffer.from(NASTY),
});

const segment = (index: number): Row => ({
  thread_id: idOf("thread", index),
  first_seq: 1,
  last_seq: 7,
  run_id: idOf("run", index),
  attempt: 1,
  events: `["values",${JSON.stringify(NASTY)}]\n["end",{}]`,
  created_at: AT,
});

/** One that has ended, and one that waits for its turn. */
const runs = (index: number): Row[] =>
  ["done", "ready"].map((q, number) => ({
    run_id: idOf(q === "done" ? "run" : "next run", index),
    thread_id: idOf("thread", index),
    assistant_id: idOf("assistant", 0),
    graph_id: "agent",
    seq: number + 1,
    q,
    status: q === "done" ? "success" : "pending",
    multitask_strategy: "enqueue",
    run_at: AT,
    attempt: number,
    deaths: 0,
    max_attempts: 3,
    owner: null,
    cancel: null,
    cancel_reason: null,
    input_applied: q === "done",
    last_checkpoint_id: null,
    keeps_events: true,
    kwargs: { input: { text: NASTY }, stream_mode: ["values"] },
    metadata: { created_by: "system" },
    webhook: q === "done" ? null : "https://example.com/hook",
    error: null,
    created_at: AT,
    updated_at: LATER,
    started_at: null,
    finished_at: q === "done" ? LATER : null,
  }));

const storeItem = (index: number): Row => ({
  namespace: `users.ada.${index % 7}`,
  key: `key ${index}`,
  value: { text: NASTY, list: [1, 2.5, null, { b: 1, a: 2 }] },
  created_at: AT,
  updated_at: LATER,
  ttl_minutes: null,
  expires_at: null,
  indexed_as: null,
  index_paths: ["text"],
});

const delivery = (index: number): Row => ({
  delivery_id: idOf("delivery", index),
  run_id: idOf("run", index),
  thread_id: idOf("thread", index),
  url: "https://example.com/hook",
  host: "example.com",
  status: index % 2 ? "delivered" : "pending",
  attempts: 1,
  owner: null,
  next_attempt_at: LATER,
  give_up_at: LATER,
  response_status: index % 2 ? 200 : null,
  last_error: index % 2 ? null : NASTY,
  metadata: { owner: "ada" },
  created_at: AT,
  updated_at: LATER,
  delivered_at: index % 2 ? LATER : null,
  expires_at: LATER,
  payload: { status: "success", values: { text: NASTY } },
});

const cron = (index: number): Row => ({
  cron_id: idOf("cron", index),
  assistant_id: idOf("assistant", 0),
  thread_id: index === 0 ? idOf("thread", 0) : null,
  on_run_completed: index === 0 ? null : "keep",
  schedule: "5 4 * * *",
  timezone: "Europe/Berlin",
  end_time: LATER,
  enabled: index === 0,
  next_run_date: LATER,
  user_id: null,
  metadata: { text: NASTY },
  headers: {},
  payload: { input: null },
  created_at: AT,
  updated_at: LATER,
});
