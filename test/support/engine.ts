import { fileURLToPath } from "node:url";
import { pino } from "pino";
import { Dispatcher } from "../../src/engine/dispatcher.ts";
import { ENGINE_DEFAULTS } from "../../src/engine/settings.ts";
import type { EngineSettings } from "../../src/engine/settings.ts";
import type { EndedAs } from "../../src/engine/run-record.ts";
import { Counts } from "../../src/lib/counts.ts";
import type { GraphSpec } from "../../src/protocol/graph-frames.ts";
import { memoryPipe } from "../../src/protocol/pipe.ts";
import { sql } from "../../src/storage/sql.ts";
import { serveWorker } from "../../src/worker/worker.ts";
import { checkpointRequests } from "../../src/workers/checkpoint-requests.ts";
import type { LaunchedWorker, LaunchWorker } from "../../src/workers/launch.ts";
import { WorkerPool } from "../../src/workers/pool.ts";
import { storeRequests } from "../../src/workers/store-requests.ts";
import type { TestDatabase } from "./databases.ts";
import { openRunQueue } from "./run-queue.ts";
import { waitFor } from "./wait.ts";

const FIXTURES = fileURLToPath(new URL("../fixtures", import.meta.url));

/** A worker inside this process. Killing it closes its pipe, which is all that the server sees of a death. */
export function launchInProcess(): LaunchedWorker {
  const [serverEnd, workerEnd] = memoryPipe();
  const { closed } = serveWorker(workerEnd);
  return {
    pipe: serverEnd,
    pid: null,
    kill: () => serverEnd.close(),
    exited: closed.then(() => "killed"),
  };
}

/** A worker that never says a word, as one whose project never ends to load. */
export function launchSilent(): LaunchedWorker {
  const [pipe] = memoryPipe();
  let exit: (how: string) => void = () => {};
  const exited = new Promise<string>((resolve) => {
    exit = resolve;
  });
  return { pipe, pid: null, exited, kill: () => exit("killed") };
}

/** Graph ids and their `file:export` in test/fixtures. */
export function graphSpecs(graphs: Record<string, string>): GraphSpec[] {
  return Object.entries(graphs).map(([graph_id, place]) => {
    const [path = "", export_name = "graph"] = place.split(":");
    const file = `${FIXTURES}/${path}`;
    return { graph_id, file, export_name, description: null };
  });
}

export interface EngineOptions {
  /** What `agent` is: `file:export` in test/fixtures. */
  graph?: string;
  workers?: number;
  launch?: LaunchWorker;
  settings?: Partial<EngineSettings>;
}

/** Queue, dispatcher, event log and workers as the server has them, with workers in this process. */
export async function openEngine(
  { database }: TestDatabase,
  options: EngineOptions = {},
) {
  const { graph = "worker-graphs/steps.ts:graph", workers: size = 1 } = options;
  const queue = await openRunQueue(database);
  const { events } = queue.deps;
  const logged: string[] = [];
  const log = pino(
    { level: "warn" },
    { write: (line: string) => void logged.push(line) },
  );
  const workers = new WorkerPool({
    size,
    runsPerWorker: 10,
    project: { root: FIXTURES, graphs: graphSpecs({ agent: graph }) },
    launch: options.launch ?? launchInProcess,
    requests: {
      ...checkpointRequests({
        database,
        streams: events,
      }),
      ...storeRequests({ database }),
    },
    log,
    onEvents: (fence, produced) => events.append(fence, produced),
    onRoom: () => dispatcher.nudgeForRoom(),
  });
  const settings = {
    ...ENGINE_DEFAULTS,
    cancelGraceMs: 100,
    shutdownGraceMs: 0,
    ...options.settings,
  };
  const dispatcher = new Dispatcher({
    database,
    events,
    workers,
    log,
    settings,
    ended: new Counts<EndedAs>(),
  });
  const rowOf = async (run_id: string) => {
    const [row] = await database.query<{
      q: string;
      status: string;
      attempt: number;
      deaths: number;
    }>(
      sql`select q, status, attempt, deaths from runs where run_id = ${run_id}`,
    );
    return row;
  };
  const until = (run_id: string, q: string) =>
    waitFor(`the run is ${q}`, async () => (await rowOf(run_id))?.q === q, {
      everyMs: 5,
    });
  return {
    queue,
    events,
    workers,
    dispatcher,
    /** Lines of the log, from warnings on. */
    logged,
    rowOf,
    until,
    async start() {
      await dispatcher.start();
      await workers.start();
    },
    async close() {
      await dispatcher.close();
      await workers.close();
    },
  };
}
