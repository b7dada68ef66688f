import type { z } from "zod";
import { ANONYMOUS } from "../../src/auth/caller.ts";
import { uuid7 } from "../../src/lib/uuid.ts";
import { threadCreate } from "../../src/model/thread-requests.ts";
import { threadSearch } from "../../src/model/thread-search.ts";
import type { Thread } from "../../src/model/thread.ts";
import type { StagedUpdate } from "../../src/protocol/state-frames.ts";
import { createThread } from "../../src/services/thread-create.ts";
import type { Database } from "../../src/storage/database.ts";
import { json, sql } from "../../src/storage/sql.ts";
import { atRest, setThreadSnapshot } from "../../src/storage/threads.ts";
import type { Workers } from "../../src/workers/port.ts";

/** User code is the outside world: workers that answer every question alike. */
export function workersThatAnswer(answer: () => unknown): Workers & {
  questions: { method: string; params: unknown }[];
} {
  const questions: { method: string; params: unknown }[] = [];
  return {
    questions,
    ask: async (method, params) => {
      questions.push({ method, params });
      return (await answer()) as never;
    },
    graphs: () => [],
  };
}

export const noWorkers = workersThatAnswer(() => {
  throw new Error("no worker is to be asked");
});

export const deps = (database: Database, workers: Workers = noWorkers) => ({
  database,
  workers,
  defaultTtl: null,
});

/** As if it came over the wire. */
export const newThread = (
  database: Database,
  body: z.input<typeof threadCreate> = {},
): Promise<Thread> =>
  createThread(deps(database), ANONYMOUS, threadCreate.parse(body));

export const search = (body: z.input<typeof threadSearch> = {}) =>
  threadSearch.parse(body);

/** As a run that ends leaves it. */
export async function giveValues(
  database: Database,
  threadId: string,
  values: Thread["values"],
): Promise<void> {
  await database.transaction((tx) =>
    setThreadSnapshot(
      tx,
      threadId,
      atRest({ values, next: [], interrupts: {} }),
    ),
  );
}

/** A run of the thread in some state of the queue. */
export async function insertRunRow(
  database: Database,
  threadId: string,
  q: "ready" | "behind" | "running" | "done",
): Promise<string> {
  const run_id = uuid7();
  const owner = q === "running" ? uuid7() : null;
  await database.transaction(async (tx) => {
    const { now } = tx.dialect;
    if (owner !== null)
      await tx.query(
        sql`insert into instances (instance_id, lease_until) values (${owner}, ${tx.dialect.nowPlus(60_000)})`,
      );
    await tx.query(sql`
      insert into runs (
        run_id, thread_id, assistant_id, graph_id, seq, q, status, multitask_strategy,
        run_at, owner, kwargs, created_at, updated_at)
      select ${run_id}, ${threadId}, ${uuid7()}, 'agent', count(*) + 1, ${q},
             ${q === "done" ? "success" : q === "running" ? "running" : "pending"}, 'enqueue',
             ${now}, ${owner}, ${json({})}, ${now}, ${now}
      from runs where thread_id = ${threadId}`);
  });
  return run_id;
}

/** One checkpoint with one small value. */
export function stagedUpdate(
  threadId: string,
  { checkpoint_id = uuid7(), next = [] as string[] } = {},
): StagedUpdate {
  return {
    writes: [
      {
        kind: "put",
        record: {
          thread_id: threadId,
          checkpoint_ns: "",
          checkpoint_id,
          parent_checkpoint_id: null,
          checkpoint: { v: 4, id: checkpoint_id },
          metadata: { source: "update", step: 0, thread_id: threadId },
          channels: { topic: { json: '"tea"' } },
        },
        values: [],
      },
    ],
    checkpoint: { thread_id: threadId, checkpoint_ns: "", checkpoint_id },
    snapshot: { values: { topic: "tea" }, next, interrupts: {} },
  };
}
