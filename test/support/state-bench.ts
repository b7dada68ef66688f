import { fileURLToPath } from "node:url";
import { InMemoryStore } from "@langchain/langgraph";
import { pino } from "pino";
import { ANONYMOUS } from "../../src/auth/caller.ts";
import type { Json, JsonObject } from "../../src/lib/json.ts";
import { uuid7 } from "../../src/lib/uuid.ts";
import { memoryPipe } from "../../src/protocol/pipe.ts";
import type { StateTarget } from "../../src/protocol/state-frames.ts";
import { StateCache } from "../../src/services/state-cache.ts";
import { getHistory } from "../../src/services/state-history.ts";
import { stateTarget } from "../../src/services/state-target.ts";
import { updateState } from "../../src/services/state-update.ts";
import { getState } from "../../src/services/state.ts";
import { readCheckpoints } from "../../src/storage/checkpoint-reads.ts";
import { writeCheckpoint } from "../../src/storage/checkpoints.ts";
import type { Database } from "../../src/storage/database.ts";
import { readDeltaHistory } from "../../src/storage/delta-history.ts";
import {
  atRest,
  getThread,
  insertThread,
  setThreadSnapshot,
} from "../../src/storage/threads.ts";
import { bindGraph } from "../../src/worker/bind-graph.ts";
import {
  SpoolCheckpointer,
  type CheckpointPort,
} from "../../src/worker/checkpointer.ts";
import {
  buildGraph,
  emptyProject,
  loadProject,
  type Project,
} from "../../src/worker/load-graphs.ts";
import { withMetadata } from "../../src/worker/staged-checkpoints.ts";
import { serveWorker } from "../../src/worker/worker.ts";
import { checkpointRequests } from "../../src/workers/checkpoint-requests.ts";
import type { LaunchWorker } from "../../src/workers/launch.ts";
import { WorkerPool } from "../../src/workers/pool.ts";
import type { Workers } from "../../src/workers/port.ts";
import { storeRequests } from "../../src/workers/store-requests.ts";
import { openTestDatabase } from "./databases.ts";

const ROOT = fileURLToPath(
  new URL("../fixtures/state-graphs", import.meta.url),
);

const GRAPHS = [
  "approval",
  "by-config",
  "chat",
  "fan-out",
  "fork",
  "linear",
  "nested",
].map((graph_id) => ({
  graph_id,
  file: `${ROOT}/${graph_id}.ts`,
  export_name: "graph",
  description: null,
}));

/** The whole path from the services to graphs, with the worker in this process, and a way to run graphs without a queue. */
export class StateBench implements AsyncDisposable {
  /** What the workers were asked, in order. */
  readonly asked: string[] = [];
  readonly workers: Workers;
  readonly database: Database;
  readonly states = new StateCache();
  readonly #project: Project;
  readonly #close: () => Promise<void>;

  constructor(parts: {
    database: Database;
    pool: WorkerPool;
    project: Project;
    close: () => Promise<void>;
  }) {
    const { pool } = parts;
    this.database = parts.database;
    this.#project = parts.project;
    this.#close = parts.close;
    this.workers = {
      ask: (method, params) => {
        this.asked.push(method);
        return pool.ask(method, params);
      },
      graphs: () => pool.graphs(),
    };
  }

  /** A new thread; with a graph as after its first run. */
  async thread(graph_id?: string, metadata: JsonObject = {}): Promise<string> {
    const thread_id = uuid7();
    await this.database.transaction((tx) =>
      insertThread(tx, {
        thread_id,
        metadata: {
          ...(graph_id === undefined ? {} : { graph_id }),
          ...metadata,
        },
        ttl: null,
      }),
    );
    return thread_id;
  }

  /** Runs the thread's graph until it ends or waits, as a run would, and leaves the thread as a run does. Rejects with what the graph throws. */
  async run(
    thread_id: string,
    input: unknown,
    options: { metadata?: JsonObject; configurable?: JsonObject } = {},
  ): Promise<JsonObject[]> {
    const target = await this.#target(thread_id);
    const ids = { thread_id, graph_id: target.graph_id };
    const graph = await this.#graph(target, { ...options.metadata, ...ids });
    const updates: JsonObject[] = [];
    try {
      const stream = await graph.stream(input, {
        configurable: {
          ...target.configurable,
          ...options.configurable,
          ...ids,
        },
        streamMode: "updates",
        durability: "sync",
      });
      for await (const update of stream) updates.push(update as JsonObject);
    } finally {
      const snapshot = await this.workers.ask("state.snapshot", { target });
      await this.database.transaction((tx) =>
        setThreadSnapshot(tx, thread_id, atRest(snapshot)),
      );
    }
    return updates;
  }

  state(
    thread_id: string,
    question: Partial<Parameters<typeof getState>[2]> = {},
  ) {
    return getState(this, ANONYMOUS, {
      subgraphs: false,
      ...question,
      thread_id,
    });
  }

  history(
    thread_id: string,
    question: Partial<Parameters<typeof getHistory>[2]> = {},
  ) {
    return getHistory(this, ANONYMOUS, { limit: 100, ...question, thread_id });
  }

  update(
    thread_id: string,
    values: Json,
    options: {
      as_node?: string;
      checkpoint?: Parameters<typeof updateState>[3]["checkpoint"];
    } = {},
  ) {
    const { as_node, checkpoint } = options;
    return updateState(this, ANONYMOUS, thread_id, {
      update: { values, ...(as_node === undefined ? {} : { as_node }) },
      checkpoint,
    });
  }

  async row(thread_id: string) {
    const thread = await getThread(this.database, thread_id, null);
    if (thread === null) throw new Error(`no thread ${thread_id}`);
    return thread;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
  }

  async #target(thread_id: string) {
    const target = await stateTarget(this.database, await this.row(thread_id));
    if (target === null) throw new Error(`thread ${thread_id} has no graph`);
    return target;
  }

  async #graph(target: StateTarget, metadata: JsonObject) {
    const graph = await buildGraph(this.#project, target.graph_id, {
      configurable: target.configurable,
      context: {},
      accessContext: "threads.create_run",
    });
    return bindGraph(graph, {
      checkpointer: new SpoolCheckpointer(storing(this.database, metadata)),
      store: new InMemoryStore(),
    });
  }
}

/** As the port of a run whose metadata this is, without a fence. */
const storing = (database: Database, metadata: JsonObject): CheckpointPort => ({
  read: (query) => readCheckpoints(database, query),
  write: (write) =>
    database.transaction((tx) =>
      writeCheckpoint(tx, withMetadata(write, metadata), null),
    ),
  deltaHistory: (query) => readDeltaHistory(database, query),
  deleteThread: async () => {},
});

export async function openStateBench(): Promise<StateBench> {
  const { database, close } = await openTestDatabase();
  const pool = new WorkerPool({
    size: 1,
    runsPerWorker: 1,
    project: { root: ROOT, graphs: GRAPHS },
    launch: launchHere,
    requests: {
      ...checkpointRequests({ database }),
      ...storeRequests({ database }),
    },
    log: pino({ level: "silent" }),
    onEvents: () => null,
    onRoom: () => {},
  });
  await pool.start();
  const project = emptyProject();
  await loadProject(
    project,
    { root: ROOT, graphs: GRAPHS },
    { loaded: () => {}, failed: () => {} },
  );
  return new StateBench({
    database,
    pool,
    project,
    close: async () => {
      await pool.close();
      await close();
    },
  });
}

const launchHere: LaunchWorker = () => {
  const [ours, theirs] = memoryPipe();
  const worker = serveWorker(theirs);
  return {
    pipe: ours,
    pid: null,
    kill: () => worker.close(),
    exited: worker.closed.then((error) => error?.message ?? "closed"),
  };
};
