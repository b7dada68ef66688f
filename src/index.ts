import { loadConfig } from "./config/load.ts";
import type { RunningServer } from "./config/startup.ts";
import { createLogger } from "./lib/logger.ts";
import { memoryPipe } from "./protocol/pipe.ts";
import { startServer } from "./server.ts";
import type { LaunchedWorker, LaunchWorker } from "./workers/launch.ts";

export type { RunningServer } from "./config/startup.ts";

export interface CreateServerOptions {
  /** Path of langgraph.json or of its folder; the working directory by default. */
  config?: string;
  /** 0, the default, takes any free port. */
  port?: number;
  /** 127.0.0.1 by default. */
  host?: string;
  /** Folder of the database; `.spool` beside langgraph.json by default. */
  dataDir?: string;
  /** Worker processes; 1 by default. */
  workers?: number;
  /**
   * Runs the graphs inside this process, for tests and debuggers. A graph that
   * blocks or exits then takes the server along.
   */
  inProcess?: boolean;
  /** A pino level; `warn` by default. */
  logLevel?: string;
}

/**
 * Starts a server inside this program. Resolves when it listens; await its
 * `ready` for the graphs, and `close()` it at the end. Rejects when
 * langgraph.json has an error, or the port or the data directory is taken.
 */
export async function createServer(
  options: CreateServerOptions = {},
): Promise<RunningServer> {
  const { config } = loadConfig("dev", {
    port: String(options.port ?? 0),
    reload: false,
    ...(options.config === undefined ? {} : { config: options.config }),
    ...(options.host === undefined ? {} : { host: options.host }),
    ...(options.dataDir === undefined ? {} : { dataDir: options.dataDir }),
    ...(options.workers === undefined
      ? {}
      : { workers: String(options.workers) }),
  });
  const log = createLogger({
    ...config.log,
    level: options.logLevel ?? "warn",
  });
  if (options.inProcess !== true) return startServer(config, log);
  return startServer(config, log, { launch: await inProcessWorkers() });
}

/** The same worker over the same frames, without the wall between it and the data. */
async function inProcessWorkers(): Promise<LaunchWorker> {
  const { serveWorker } = await import("./worker/worker.ts");
  return (): LaunchedWorker => {
    const [ours, theirs] = memoryPipe();
    const worker = serveWorker(theirs);
    return {
      pipe: ours,
      pid: null,
      kill: () => worker.close(),
      exited: worker.closed.then((error) => error?.message ?? "closed"),
    };
  };
}
