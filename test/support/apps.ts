import { join } from "node:path";
import { Writable } from "node:stream";
import { pino } from "pino";
import type { App, HttpSettings } from "../../src/http/deps.ts";
import type { JsonObject } from "../../src/lib/json.ts";
import { deferred } from "../../src/lib/deferred.ts";
import type { GraphSpec } from "../../src/protocol/graph-frames.ts";
import { memoryPipe } from "../../src/protocol/pipe.ts";
import { registerGraphs } from "../../src/services/system-assistants.ts";
import { serveWorker } from "../../src/worker/worker.ts";
import { checkpointRequests } from "../../src/workers/checkpoint-requests.ts";
import type { LaunchedWorker } from "../../src/workers/launch.ts";
import { WorkerPool } from "../../src/workers/pool.ts";
import { storeRequests } from "../../src/workers/store-requests.ts";
import { openTestDatabase, type ScriptableDatabase } from "./databases.ts";
import { testApp } from "./http.ts";

export interface TestApp {
  app: App;
  database: ScriptableDatabase;
  /** Every line that was logged, debug and above. */
  logged: Record<string, unknown>[];
  close(): Promise<void>;
}

export interface TestAppOptions {
  graphs?: GraphSpec[];
  /** As `LANGGRAPH_CONFIG`. */
  defaults?: Record<string, JsonObject>;
  http?: Partial<HttpSettings>;
}

const FIXTURES = new URL("../fixtures/", import.meta.url).pathname;

/** A graph of test/fixtures: `fixtureGraph("nested", "state-graphs/nested.ts:graph")`. */
export function fixtureGraph(
  graph_id: string,
  place: string,
  description: string | null = null,
): GraphSpec {
  const [file = "", export_name = "default"] = place.split(":");
  return { graph_id, file: join(FIXTURES, file), export_name, description };
}

/** The whole HTTP API on a database of its own, without a socket. With graphs it has a real worker, in this process. Nothing executes runs. */
export async function openTestApp({
  graphs = [],
  defaults = {},
  http = {},
}: TestAppOptions = {}): Promise<TestApp> {
  const { database, close: closeDatabase } = await openTestDatabase();
  const logged: Record<string, unknown>[] = [];
  const log = pino({ level: "debug", base: null }, linesTo(logged));
  const workers = new WorkerPool({
    size: graphs.length > 0 ? 1 : 0,
    runsPerWorker: 1,
    project: { root: FIXTURES, graphs },
    launch: workerInProcess,
    requests: {
      ...checkpointRequests({ database }),
      ...storeRequests({ database }),
    },
    log,
    onEvents: () => null,
    onRoom: () => {},
  });
  await registerGraphs({ database }, graphs, defaults);
  if (graphs.length > 0) await workers.start();
  const app = testApp(database, workers, {
    log,
    http: { langgraphVersion: "1.2.3", ...http },
  });
  const close = async () => {
    await workers.close();
    await closeDatabase();
  };
  return { app, database, logged, close };
}

function workerInProcess(): LaunchedWorker {
  const [serverEnd, workerEnd] = memoryPipe();
  const worker = serveWorker(workerEnd);
  const exited = deferred<string>();
  void worker.closed.then(() => exited.resolve("closed"));
  return {
    pipe: serverEnd,
    pid: null,
    kill: () => worker.close(),
    exited: exited.promise,
  };
}

const linesTo = (lines: Record<string, unknown>[]): Writable =>
  new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(JSON.parse(chunk.toString()) as Record<string, unknown>);
      done();
    },
  });

/** `POST path` with a JSON body. */
export const postJson = (
  app: App,
  path: string,
  body: unknown,
  headers: Record<string, string> = {},
): Response | Promise<Response> =>
  app.request(path, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
