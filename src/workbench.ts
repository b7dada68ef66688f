import type { Config } from "./config/config.ts";
import type { Logger } from "./lib/logger.ts";
import { workerProcesses } from "./server.ts";
import { registerGraphs } from "./services/system-assistants.ts";
import type { Database } from "./storage/database.ts";
import { openDatabase } from "./storage/open.ts";
import { checkpointRequests } from "./workers/checkpoint-requests.ts";
import { WorkerPool } from "./workers/pool.ts";
import type { Workers } from "./workers/port.ts";
import { storeRequests } from "./workers/store-requests.ts";

/**
 * The parts of a server that know the project's graphs, without HTTP and
 * without an engine: for commands that work on the data. On SQLite no server may have it open.
 */
export async function withWorkers<T>(
  { config, log }: { config: Config; log: Logger },
  use: (workers: Workers, database: Database) => Promise<T>,
): Promise<T> {
  await using database = await openDatabase(config, log);
  await registerGraphs({ database }, config.graphs, config.langgraphConfig);
  await using workers = new WorkerPool({
    size: 1,
    runsPerWorker: 1,
    project: { root: config.root, graphs: config.graphs, embedding: null },
    launch: workerProcesses(config, log, { url: null }),
    requests: {
      ...checkpointRequests({ database }),
      ...storeRequests({ database, ttl: config.storeTtl, embedder: null }),
    },
    log,
    onEvents: () => null,
    onRoom: () => {},
  });
  await workers.start();
  return await use(workers, database); // awaited: both end with this scope
}
