import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Config } from "./config/config.ts";
import type { RunningServer, StartupEvents } from "./config/startup.ts";
import { Dispatcher } from "./engine/dispatcher.ts";
import { startRetention } from "./engine/retention.ts";
import { ENGINE_DEFAULTS, type EngineSettings } from "./engine/settings.ts";
import { createApp } from "./http/app.ts";
import { listen, type Listening } from "./http/listen.ts";
import type { Logger } from "./lib/logger.ts";
import { installedVersion } from "./lib/package-version.ts";
import { registerGraphs } from "./services/system-assistants.ts";
import { lockDirectory } from "./storage/directory-lock.ts";
import { migrate } from "./storage/migrate.ts";
import { SqliteDatabase } from "./storage/sqlite.ts";
import { EventLog } from "./stream/event-log.ts";
import { checkpointRequests } from "./workers/checkpoint-requests.ts";
import { launchWorkerProcess, type LaunchWorker } from "./workers/launch.ts";
import { WorkerPool } from "./workers/pool.ts";
import { storeRequests } from "./workers/store-requests.ts";
import { watchProject } from "./workers/watch.ts";

/*
 * The composition root: it builds every long-lived part once, in the order in
 * which they need each other, and takes them down in the reverse order. No
 * other file knows all of them.
 */

/** The worker program; beside this file in `dist/`. */
const WORKER_PROGRAM = fileURLToPath(
  new URL("./worker/main.js", import.meta.url),
);

/** Open responses get this long to end when the server stops; a client comes back for the rest. */
const HTTP_CLOSE_MS = 2000;

/** Ctrl-C on a laptop does not wait for runs: they go on from their checkpoints at the next start. */
const DEV_SHUTDOWN_GRACE_MS = 1000;

export interface ServerOptions extends StartupEvents {
  /** How workers are started; processes of their own unless told otherwise. */
  launch?: LaunchWorker;
}

/** What is to be undone at the end, last first. */
type Closers = (() => unknown)[];

/** Resolves when the server listens; its graphs load after that (`ready`). Rejects when the port or the data directory is taken. */
export async function startServer(
  config: Config,
  log: Logger,
  options: ServerOptions = {},
): Promise<RunningServer> {
  const closers: Closers = [];
  const close = closeOnce(closers);
  try {
    const database = await openDatabase(config, closers);
    const events = new EventLog({ database, log });
    const parts = { database, events, log };
    const { workers, dispatcher } = buildEngine(config, parts, options);
    await registerGraphs(parts, config.graphs, config.langgraphConfig);
    const listening = await listenFor(config, { ...parts, workers });
    closers.push(
      () => listening.close(HTTP_CLOSE_MS),
      () => workers.close(),
    );
    await dispatcher.start();
    closers.push(() => dispatcher.close());
    const streamRetentionMs = config.streamRetentionSeconds * 1000;
    closers.push(startRetention({ ...parts, streamRetentionMs }));
    if (config.reload) closers.push(reloadOnChange(config, workers, log));
    return { url: listening.url, ready: workers.start(), close };
  } catch (cause) {
    await close();
    throw cause;
  }
}

type Parts = { database: SqliteDatabase; events: EventLog; log: Logger };

function buildEngine(
  config: Config,
  { database, events, log }: Parts,
  options: ServerOptions,
): { workers: WorkerPool; dispatcher: Dispatcher } {
  const workers = new WorkerPool({
    size: config.workers,
    runsPerWorker: config.jobsPerWorker,
    project: { root: config.root, graphs: config.graphs },
    launch: options.launch ?? workerProcesses(config, log),
    requests: {
      ...checkpointRequests({ database }),
      ...storeRequests({ database }),
    },
    log,
    onEvents: (fence, produced) => events.append(fence, produced),
    onRoom: () => dispatcher.nudge(),
    ...(options.onGraph === undefined ? {} : { onGraph: options.onGraph }),
  });
  const settings = engineSettings(config);
  const dispatcher = new Dispatcher({
    database,
    events,
    workers,
    log,
    settings,
  });
  return { workers, dispatcher };
}

async function openDatabase(
  config: Config,
  closers: Closers,
): Promise<SqliteDatabase> {
  mkdirSync(config.dataDir, { recursive: true });
  const lock = lockDirectory(config.dataDir);
  closers.push(() => lock[Symbol.dispose]());
  const database = new SqliteDatabase({
    path: join(config.dataDir, "spool.db"),
    durability: config.durability,
  });
  closers.push(() => database.close());
  await migrate(database);
  return database;
}

function workerProcesses(config: Config, log: Logger): LaunchWorker {
  const env = {
    ...config.workerEnv,
    SPOOL_CACHE_DIR: join(config.dataDir, "schemas"),
  };
  return () =>
    launchWorkerProcess({
      program: WORKER_PROGRAM,
      args: config.graphs.map(({ file }) => file),
      cwd: config.root,
      env,
      onOutput: (stream, line) =>
        stream === "stderr" ? log.warn(line) : log.info(line),
    });
}

/** In `dev` the next free port does as well, unless the user asked for this one. */
async function listenFor(
  config: Config,
  parts: Parts & { workers: WorkerPool },
): Promise<Listening> {
  const app = createApp({
    ...parts,
    defaultTtl: config.ttl,
    maxAttempts: config.maxRetries + 1,
    http: {
      cors: config.cors,
      maxBodyBytes: config.bodyLimitBytes,
      langgraphVersion: installedVersion("@langchain/langgraph", config.root),
    },
  });
  const { host, port, mode } = config;
  const mayMove = mode === "dev" && !port.explicit;
  for (let candidate = port.value; ; candidate += 1) {
    try {
      return await listen(app, { host, port: candidate });
    } catch (cause) {
      const isTaken = (cause as { code?: string }).code === "EADDRINUSE";
      if (!mayMove || !isTaken || candidate === 65_535) throw cause;
    }
  }
}

function engineSettings(config: Config): EngineSettings {
  const shutdownGraceMs = config.shutdownGraceSeconds * 1000;
  return {
    ...ENGINE_DEFAULTS,
    cancelGraceMs: config.cancelGraceSeconds * 1000,
    runTimeoutMs: config.runTimeoutSeconds * 1000,
    shutdownGraceMs:
      config.mode === "dev"
        ? Math.min(shutdownGraceMs, DEV_SHUTDOWN_GRACE_MS)
        : shutdownGraceMs,
  };
}

function reloadOnChange(
  config: Config,
  workers: WorkerPool,
  log: Logger,
): () => Promise<void> {
  const watcher = watchProject(config, (file) => {
    const start = performance.now();
    workers.reload().then(
      (outcome) => {
        const ms = Math.round(performance.now() - start);
        if (outcome === "replaced")
          log.info({ file, ms }, "the project was reloaded");
        else
          log.error(
            { file },
            "the change does not load; the graphs from before it stay",
          );
      },
      (cause: unknown) =>
        log.error({ err: cause }, "the project could not be reloaded"),
    );
  });
  return async () => watcher[Symbol.asyncDispose]();
}

function closeOnce(closers: Closers): () => Promise<void> {
  let closing: Promise<void> | null = null;
  const closeAll = async () => {
    for (const undo of closers.toReversed()) await undo();
  };
  return () => (closing ??= closeAll());
}
