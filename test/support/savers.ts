import {
  emptyCheckpoint,
  uuid6,
  type CheckpointTuple,
} from "@langchain/langgraph-checkpoint";
import type { RunnableConfig } from "@langchain/core/runnables";
import type { CheckpointWrite } from "../../src/protocol/checkpoint-frames.ts";
import { first, type Queryable } from "../../src/storage/database.ts";
import { sql } from "../../src/storage/sql.ts";
import { SpoolCheckpointer } from "../../src/worker/checkpointer.ts";
import type { ServerPeer } from "../../src/worker/context.ts";
import {
  openTestDatabase,
  type TestDriver,
  type ScriptableDatabase,
} from "./databases.ts";
import {
  connectWorker,
  insertRunningRun,
  portOf,
  type RunningRun,
} from "./worker-pipe.ts";

export interface TestSavers extends AsyncDisposable {
  database: ScriptableDatabase;
  peer: ServerPeer;
  run: RunningRun;
  /** A saver of the run that knows nothing yet, as a new worker has it. */
  saver(run?: RunningRun): SpoolCheckpointer;
  /** Every write that a saver has sent. */
  sent: CheckpointWrite[];
}

/** A running run on a real file, and its worker at the other end of a pipe. */
export async function openSavers(driver?: TestDriver): Promise<TestSavers> {
  const { database, close } = await openTestDatabase(driver);
  const { peer, close: disconnect } = connectWorker(database);
  const run = await database.transaction((tx) => insertRunningRun(tx));
  const sent: CheckpointWrite[] = [];
  const saver = (of = run) => {
    const port = portOf(peer, of);
    return new SpoolCheckpointer({
      ...port,
      write: (write, whole) => {
        const record = (one: CheckpointWrite) => {
          sent.push(one);
          return one;
        };
        return port.write(record(write), whole && (() => record(whole())));
      },
    });
  };
  return {
    database,
    peer,
    run,
    saver,
    sent,
    async [Symbol.asyncDispose]() {
      disconnect();
      await close();
    },
  };
}

export interface Put {
  parent?: RunnableConfig;
  checkpoint_ns?: string;
  values: Record<string, unknown>;
  /** Channels with a new version; all of the values unless given. */
  changed?: string[];
  metadata?: Record<string, unknown>;
}

let step = 0;

/** A checkpoint with these channel values after `parent`. */
export function put(
  saver: SpoolCheckpointer,
  threadId: string,
  { parent, checkpoint_ns = "", values, changed, metadata }: Put,
): Promise<RunnableConfig> {
  step += 1;
  const versions = Object.fromEntries(
    (changed ?? Object.keys(values)).map((channel) => [channel, step]),
  );
  return saver.put(
    parent ?? { configurable: { thread_id: threadId, checkpoint_ns } },
    {
      ...emptyCheckpoint(),
      id: uuid6(step),
      channel_values: values,
      channel_versions: versions,
    },
    { source: "loop", step, parents: {}, ...metadata },
    versions,
  );
}

/** What a saver reads that has never seen the thread. Throws when there is nothing. */
export async function readTuple(
  savers: TestSavers,
  config: RunnableConfig,
): Promise<CheckpointTuple> {
  const tuple = await savers.saver().getTuple(config);
  if (tuple === undefined) throw new Error("no such checkpoint");
  return tuple;
}

const TABLES = {
  checkpoints: sql`select count(*) as count from checkpoints`,
  checkpoint_values: sql`select count(*) as count from checkpoint_values`,
  checkpoint_writes: sql`select count(*) as count from checkpoint_writes`,
};

export async function countRows(
  db: Queryable,
  table: keyof typeof TABLES,
): Promise<number> {
  const row = await first<{ count: number }>(db, TABLES[table]);
  return row?.count ?? 0;
}
