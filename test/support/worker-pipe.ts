import { uuid7 } from "../../src/lib/uuid.ts";
import type { CheckpointPort } from "../../src/worker/checkpoint-port.ts";
import { runCheckpointPort } from "../../src/worker/checkpointer.ts";
import type { ServerPeer } from "../../src/worker/context.ts";
import type {
  ServerNotices,
  ServerRequests,
  WorkerNotices,
  WorkerRequests,
} from "../../src/protocol/frames.ts";
import { Peer, type RequestServer } from "../../src/protocol/peer.ts";
import { memoryPipe } from "../../src/protocol/pipe.ts";
import type { Database, Queryable } from "../../src/storage/database.ts";
import { json, sql } from "../../src/storage/sql.ts";
import { checkpointRequests } from "../../src/workers/checkpoint-requests.ts";
import { storeRequests } from "../../src/workers/store-requests.ts";

/** The worker's end of a pipe whose other end serves checkpoints and store items out of `database`. */
export function connectWorker(database: Database): {
  peer: ServerPeer;
  close(): void;
} {
  const [serverEnd, workerEnd] = memoryPipe();
  const server = new Peer<
    ServerRequests,
    ServerNotices,
    WorkerRequests,
    WorkerNotices
  >({
    pipe: serverEnd,
    runtime: "server under test",
    requests: {
      ...checkpointRequests({ database }),
      ...storeRequests({ database }),
    },
    notices: {} as never,
  });
  const peer: ServerPeer = new Peer({
    pipe: workerEnd,
    runtime: "worker under test",
    requests: {} as RequestServer<WorkerRequests>,
    notices: {} as never,
  });
  const close = () => {
    peer.close();
    server.close();
  };
  return { peer, close };
}

export async function insertThread(
  tx: Queryable,
  threadId: string = uuid7(),
): Promise<string> {
  const { now } = tx.dialect;
  await tx.query(sql`
    insert into threads (thread_id, created_at, updated_at, state_updated_at)
    values (${threadId}, ${now}, ${now}, ${now})
    on conflict (thread_id) do nothing`);
  return threadId;
}

export interface RunningRun {
  thread_id: string;
  run_id: string;
  attempt: number;
}

/** A thread with a run that is being executed by a living instance. */
export async function insertRunningRun(
  tx: Queryable,
  threadId: string = uuid7(),
): Promise<RunningRun> {
  const { now, nowPlus } = tx.dialect;
  const run = { thread_id: threadId, run_id: uuid7(), attempt: 1 };
  await insertThread(tx, threadId);
  await tx.query(sql`
    insert into instances (instance_id, lease_until)
    values ('instance', ${nowPlus(60_000)})
    on conflict (instance_id) do nothing`);
  await tx.query(sql`
    insert into runs (
      run_id, thread_id, assistant_id, graph_id, seq, q, status, multitask_strategy,
      run_at, attempt, owner, kwargs, created_at, updated_at)
    values (
      ${run.run_id}, ${threadId}, 'assistant', 'graph',
      (select count(*) + 1 from runs where thread_id = ${threadId}),
      'running', 'running', 'enqueue',
      ${now}, 1, 'instance', ${json({})}, ${now}, ${now})`);
  return run;
}

export async function endRun(tx: Queryable, runId: string): Promise<void> {
  await tx.query(
    sql`update runs set q = 'done', owner = null where run_id = ${runId}`,
  );
}

/** A port for a run, that refuses to lose its lease without saying so. */
export const portOf = (
  peer: ServerPeer,
  { run_id, attempt, thread_id }: RunningRun,
  onLost: () => void = () => {
    throw new Error("lease lost");
  },
): CheckpointPort =>
  runCheckpointPort(peer, {
    fence: { run_id, attempt },
    thread_id,
    head: null,
    durable: true,
    pace: "watched",
    beforeWrite: () => {},
    onLost,
  });
