import { pino } from "pino";
import { ANONYMOUS } from "../../src/auth/caller.ts";
import { recordEnd, type RunEnd } from "../../src/engine/finish-run.ts";
import { uuid7 } from "../../src/lib/uuid.ts";
import {
  STANDARD_RULES,
  webhookPolicy,
} from "../../src/model/webhook-policy.ts";
import { threadRunCreate } from "../../src/model/run-requests.ts";
import { createThreadRun } from "../../src/services/accept-run.ts";
import type { RunDeps } from "../../src/services/run-deps.ts";
import { registerGraphs } from "../../src/services/system-assistants.ts";
import { LeaseLostError } from "../../src/storage/checkpoints.ts";
import type { Database } from "../../src/storage/database.ts";
import { insertInstance } from "../../src/storage/instances.ts";
import { claimRuns, type ClaimedRun } from "../../src/storage/run-queue.ts";
import { sql } from "../../src/storage/sql.ts";
import { insertThread } from "../../src/storage/threads.ts";
import { KnownAssistants } from "../../src/services/known-assistants.ts";
import { EventLog } from "../../src/stream/event-log.ts";
import type { Workers } from "../../src/workers/port.ts";

/** No graph is ever run by these tests. */
const NO_WORKERS: Workers = {
  ask: () => Promise.reject(new Error("there is no worker")),
  graphs: () => [{ graph_id: "agent", state: "loaded", milliseconds: 1 }],
};

export interface RunRow {
  run_id: string;
  seq: number;
  q: string;
  status: string;
  attempt: number;
}

/** The queue with one registered graph, `agent`, and nobody who executes. */
export async function openRunQueue(database: Database) {
  const log = pino({ level: "silent" });
  const deps: RunDeps = {
    database,
    log,
    workers: NO_WORKERS,
    events: new EventLog({ database, log }),
    assistants: new KnownAssistants(),
    defaultTtl: null,
    maxAttempts: 3,
    webhooks: { isEnabled: true, policy: webhookPolicy(STANDARD_RULES) },
  };
  await registerGraphs(deps, [{ graph_id: "agent", description: null }], {});
  return {
    deps,
    async thread(): Promise<string> {
      const thread_id = uuid7();
      await database.transaction((tx) =>
        insertThread(tx, { thread_id, metadata: {}, ttl: null }),
      );
      return thread_id;
    },
    async instance(): Promise<string> {
      const instance_id = uuid7();
      await database.transaction((tx) =>
        insertInstance(tx, { instance_id, leaseMs: 60_000, info: {} }),
      );
      return instance_id;
    },
    enqueue: (thread_id: string, request: Record<string, unknown> = {}) =>
      createThreadRun(deps, ANONYMOUS, {
        thread_id,
        request: threadRunCreate.parse({ assistant_id: "agent", ...request }),
      }),
    claim: (owner: string, limit = 10): Promise<ClaimedRun[]> =>
      claimRuns(database, { owner, limit }),
    async finish(run: ClaimedRun, end: Partial<RunEnd> = {}) {
      const recorded = await database
        .transaction((tx) =>
          recordEnd(tx, {
            run,
            end: { status: "success", error: null, snapshot: null, ...end },
            segment: null,
          }),
        )
        .catch((cause: unknown) => {
          if (cause instanceof LeaseLostError) return "lost" as const; // the thread is gone
          throw cause;
        });
      if (recorded === "lost") return recorded;
      return recorded.isGone ? "rolled back" : "finished";
    },
    runs: (thread_id: string) =>
      database.query<RunRow>(sql`
        select run_id, seq, q, status, attempt from runs
        where thread_id = ${thread_id} order by seq`),
  };
}

export type RunQueue = Awaited<ReturnType<typeof openRunQueue>>;
