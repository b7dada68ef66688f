import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { groupedBy } from "../lib/grouped-by.ts";
import { isObject, type Json, type JsonObject } from "../lib/json.ts";
import { badRequest } from "../model/errors.ts";
import type { Interrupts } from "../model/thread.ts";
import type { CheckpointWrite } from "../protocol/checkpoint-frames.ts";
import type { SerializedCheckpoint } from "../protocol/convert-frames.ts";
import type { Row } from "../storage/table-rows.ts";
import type { Workers } from "../workers/port.ts";
import type { ForeignParts, ForeignUnit } from "./foreign.ts";
import {
  assistantUnit,
  isMadeByServer,
  itemUnit,
  type ForeignAssistant,
} from "./foreign-units.ts";
import { isoTime, stateRows, threadRow } from "./threads.ts";

/*
 * `.langgraph_api`, which the in-memory dev server for JavaScript writes beside
 * langgraph.json: three files of superjson. Of that only the `json` half is
 * needed: its times are ISO 8601, its bytes base64, its maps lists of pairs.
 * It writes them up to three seconds after a change, and at its end.
 */

interface Operations {
  assistants: Record<string, ForeignAssistant>;
  assistant_versions: ForeignAssistant[];
  threads: Record<string, Thread>;
  runs: Record<string, Run>;
}

interface Thread {
  thread_id: string;
  created_at: string;
  updated_at: string;
  metadata: JsonObject;
  status: string;
  values?: Json;
  interrupts?: Interrupts;
  error?: Json;
}

interface Run {
  run_id: string;
  thread_id: string;
  assistant_id: string;
  created_at: string;
  updated_at: string;
  status: string;
  metadata: JsonObject;
  kwargs: JsonObject;
  multitask_strategy: string;
}

/** Serialized checkpoint and metadata, both in base64, and the id of the parent. */
type Saved = [checkpoint: string, metadata: string, parent: string | null];

type SavedWrite = [task: string, channel: string, value: string, path?: string];

interface Saver {
  /** Thread -> namespace -> checkpoint id. */
  storage: Record<string, Record<string, Record<string, Saved>>>;
  /** `["thread","namespace","checkpoint"]` -> `task,index`. */
  writes: Record<string, Record<string, SavedWrite>>;
}

interface StoreItem {
  namespace: string[];
  key: string;
  value: JsonObject;
  createdAt: string;
  updatedAt: string;
}

interface Store {
  data: [namespace: string, items: [key: string, item: StoreItem][]][];
}

const FILES = {
  operations: ".langgraphjs_ops.json",
  saver: ".langgraphjs_api.checkpointer.json",
  store: ".langgraphjs_api.store.json",
};

/** Everything in the folder. Runs that had not ended are told as interrupted: what they had done is there, and nobody goes on with them. */
export function readDevFolder(
  folder: string,
): (workers: Pick<Workers, "ask">) => AsyncGenerator<ForeignUnit> {
  const operations = readJson<Operations>(folder, FILES.operations);
  const saver = readJson<Saver>(folder, FILES.saver, {
    storage: {},
    writes: {},
  });
  const store = readJson<Store>(folder, FILES.store, { data: [] });
  const writes = writesByThread(saver);
  const runs = runsByThread(operations);
  return async function* (workers) {
    const versions = groupedBy(
      operations.assistant_versions,
      ({ assistant_id }) => assistant_id,
    );
    for (const assistant of Object.values(operations.assistants))
      if (!isMadeByServer(assistant))
        yield assistantUnit(
          assistant,
          () => versions.get(assistant.assistant_id) ?? [],
        );
    for (const thread of Object.values(operations.threads))
      yield threadUnit(thread, {
        workers,
        runs: runs.get(thread.thread_id) ?? [],
        saved: saver.storage[thread.thread_id] ?? {},
        writes: writes.get(thread.thread_id) ?? [],
      });
    for (const [, items] of store.data)
      for (const [, { createdAt, updatedAt, ...item }] of items)
        yield itemUnit({
          ...item,
          created_at: createdAt,
          updated_at: updatedAt,
        });
  };
}

function readJson<T>(folder: string, name: string, whenMissing?: T): T {
  const path = join(folder, name);
  let parsed: unknown;
  try {
    parsed = JSON.parse(readFileSync(path, "utf8"));
  } catch (cause) {
    const isMissing = (cause as { code?: string }).code === "ENOENT";
    if (isMissing && whenMissing !== undefined) return whenMissing;
    throw badRequest(
      isMissing
        ? `${folder} has no ${name}: it is no data folder of the dev server (${basename(folder) === ".langgraph_api" ? "was anything stored?" : "name its .langgraph_api"})`
        : `${path} cannot be read: ${(cause as Error).message}`,
      { cause },
    );
  }
  if (!isObject(parsed) || !isObject(parsed["json"]))
    throw badRequest(`${path} is not what the dev server writes`);
  return parsed["json"] as T;
}

interface ThreadParts {
  workers: Pick<Workers, "ask">;
  runs: Run[];
  saved: Saver["storage"][string];
  writes: CheckpointWrite[];
}

function threadUnit(thread: Thread, parts: ThreadParts): ForeignUnit {
  const { thread_id, interrupts = {}, error = null } = thread;
  const isWaiting = Object.values(interrupts).some((list) => list.length > 0);
  const hasFailed = thread.status === "error";
  const status =
    isWaiting || thread.status === "interrupted" ? "interrupted" : "idle";
  return {
    table: "threads",
    head: {
      ...threadRow(thread),
      status: hasFailed ? "error" : status,
      error: hasFailed ? error : null,
      run_seq: parts.runs.length,
    },
    compared: ["updated_at"],
    load: async () => {
      const { workers } = parts;
      const values =
        thread.values == null
          ? null
          : await workers.ask("convert.values", { values: thread.values });
      const state = stateRows(thread_id, { values, interrupts });
      return {
        head: state.head,
        rows: [...state.pages, ...parts.runs.map(runRow)],
        checkpoints: await checkpointsOf(thread_id, parts),
      };
    },
  };
}

/** Of the JSON of a request to a worker; frames end at 256 MB. */
const BATCH_BYTES = 16 * 1024 * 1024;

async function checkpointsOf(
  thread_id: string,
  { saved, writes, workers }: ThreadParts,
): Promise<ForeignParts["checkpoints"]> {
  const all = Object.entries(saved).flatMap(([checkpoint_ns, byId]) =>
    Object.entries(byId).map(([checkpoint_id, one]) =>
      serialized({ checkpoint_ns, checkpoint_id }, one),
    ),
  );
  // Ids are in the order of their making.
  all.sort((a, b) => (a.checkpoint_id < b.checkpoint_id ? -1 : 1));
  const converted: ForeignParts["checkpoints"][number][] = [];
  for (const checkpoints of batches(all))
    for (const write of await workers.ask("convert.checkpoints", {
      ...{ thread_id, checkpoints },
    }))
      converted.push({ write, run_id: runOf(write) });
  const known = new Set(all.map(({ checkpoint_id }) => checkpoint_id));
  const pending = writes.filter(
    (write) => write.kind === "writes" && known.has(write.checkpoint_id),
  );
  return [...converted, ...pending.map((write) => ({ write, run_id: null }))];
}

const serialized = (
  at: { checkpoint_ns: string; checkpoint_id: string },
  [checkpoint, metadata, parent]: Saved,
): SerializedCheckpoint => ({
  ...at,
  parent_checkpoint_id: parent ?? null,
  checkpoint: Buffer.from(checkpoint, "base64"),
  metadata: Buffer.from(metadata, "base64"),
});

function* batches(
  all: readonly SerializedCheckpoint[],
): Generator<SerializedCheckpoint[]> {
  let batch: SerializedCheckpoint[] = [];
  let bytes = 0;
  for (const one of all) {
    batch.push(one);
    bytes += one.checkpoint.length;
    if (bytes < BATCH_BYTES) continue;
    yield batch;
    batch = [];
    bytes = 0;
  }
  if (batch.length > 0) yield batch;
}

function runOf(write: CheckpointWrite): string | null {
  if (write.kind !== "put") return null;
  const { run_id } = write.record.metadata;
  return typeof run_id === "string" ? run_id : null;
}

function runsByThread({ runs, threads }: Operations): Map<string, Run[]> {
  const sorted = Object.values(runs)
    .filter(({ thread_id }) => Object.hasOwn(threads, thread_id))
    .sort((a, b) => (a.created_at < b.created_at ? -1 : 1));
  return groupedBy(sorted, ({ thread_id }) => thread_id);
}

const DEFAULT_KWARGS = { durability: "async", strict_resume: false };

function runRow(run: Run, index: number): { table: string; row: Row } {
  const { metadata, kwargs } = run;
  const config = kwargs["config"] as { configurable?: JsonObject } | undefined;
  const hasEnded = run.status !== "pending" && run.status !== "running";
  const [created_at, updated_at] = [run.created_at, run.updated_at].map(
    isoTime,
  );
  return {
    table: "runs",
    row: {
      run_id: run.run_id,
      thread_id: run.thread_id,
      assistant_id: run.assistant_id,
      graph_id: String(
        metadata["graph_id"] ?? config?.configurable?.["graph_id"] ?? "",
      ),
      seq: index + 1,
      q: "done",
      status: hasEnded ? run.status : "interrupted",
      multitask_strategy: run.multitask_strategy,
      run_at: created_at,
      attempt: 1,
      input_applied: true,
      keeps_events: false,
      kwargs: { ...DEFAULT_KWARGS, ...kwargs },
      metadata,
      created_at,
      updated_at,
      started_at: created_at,
      finished_at: updated_at,
    },
  };
}

/** The value of each is what our saver would have written too. */
function writesByThread({ writes }: Saver): Map<string, CheckpointWrite[]> {
  const all = Object.entries(writes).map(([key, byTask]): CheckpointWrite => {
    const [thread_id, checkpoint_ns, checkpoint_id] = JSON.parse(key) as [
      string,
      string,
      string,
    ];
    return {
      kind: "writes",
      ...{ thread_id, checkpoint_ns, checkpoint_id },
      writes: Object.entries(byTask).map(
        ([place, [task_id, channel, value, task_path = ""]]) => ({
          ...{ task_id, channel, task_path, type: "json" },
          idx: Number(place.slice(place.lastIndexOf(",") + 1)),
          data: Buffer.from(value, "base64"),
        }),
      ),
    };
  });
  return groupedBy(all, (write) =>
    write.kind === "writes" ? write.thread_id : write.record.thread_id,
  );
}
