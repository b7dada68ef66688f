import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Config } from "./config/config.ts";
import type { RunningServer, StartupEvents } from "./config/startup.ts";
import { dutiesOf } from "./duties.ts";
import { Dispatcher } from "./engine/dispatcher.ts";
import { WebhookOutbox } from "./engine/webhook-outbox.ts";
import { ENGINE_DEFAULTS, type EngineSettings } from "./engine/settings.ts";
import { ENDS, type EndedAs } from "./engine/run-record.ts";
import type { App } from "./http/deps.ts";
import { listen, type Listening } from "./http/listen.ts";
import { Counts } from "./lib/counts.ts";
import type { Logger } from "./lib/logger.ts";
import { installedVersion } from "./lib/package-version.ts";
import { webhookPolicy, type WebhookPolicy } from "./model/webhook-policy.ts";
import { KnownAssistants } from "./services/known-assistants.ts";
import type { RunDeps } from "./services/run-deps.ts";
import { registerGraphs } from "./services/system-assistants.ts";
import type { Database } from "./storage/database.ts";
import { openDatabase } from "./storage/open.ts";
import { EventLog } from "./stream/event-log.ts";
import { checkpointRequests } from "./workers/checkpoint-requests.ts";
import { Embedder } from "./workers/embedder.ts";
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

/** 24 days; a timer for longer than that fires at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

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
    const database = await openDatabase(config, log);
    closers.push(() => database.close());
    if (config.storeIndex !== null) await database.enableVectors();
    const events = new EventLog({ database, log });
    const address: Address = { url: null };
    const ended = new Counts<EndedAs>();
    const policy = webhookPolicy(config.webhooks.rules);
    const parts = { database, events, log, address, policy, ended };
    const { workers, dispatcher, embedder } = buildEngine(
      config,
      parts,
      options,
    );
    await registerGraphs(parts, config.graphs, config.langgraphConfig);
    const listening = config.servesHttp ? await listenFor(config) : null;
    address.url = listening?.url ?? null;
    closers.push(
      () => listening?.close(HTTP_CLOSE_MS),
      () => workers.close(),
    );
    options.onListening?.(address.url);
    const outbox = webhookOutbox(config, parts);
    if (config.webhooks.isEnabled) await outbox.start();
    closers.push(() => outbox.close());
    await dispatcher.start();
    closers.push(() => dispatcher.close());
    if (config.reload) closers.push(reloadOnChange(config, workers, log));
    const ready = workers.start();
    const runDeps = toRunDeps(config, { ...parts, workers });
    const duties = dutiesOf(config, { ...runDeps, embedder });
    closers.push(() => Promise.all(duties.map((duty) => duty.close())));
    await Promise.all(duties.map((duty) => duty.start()));
    void ready.then(() => checkEmbedder(embedder, log));
    listening?.serve(
      await loadApp(config, {
        ...runDeps,
        ended,
        dispatcher,
        workers,
        embedder,
      }),
    );
    return { url: address.url, ready, close };
  } catch (cause) {
    await close();
    throw cause;
  }
}

/** Where the server is reached, once it listens; no worker starts before. */
type Address = { url: string | null };

type Parts = {
  database: Database;
  events: EventLog;
  log: Logger;
  address: Address;
  policy: WebhookPolicy;
  ended: Counts<EndedAs>;
};

function buildEngine(
  config: Config,
  { database, events, log, address, ended }: Parts,
  options: ServerOptions,
): { workers: WorkerPool; dispatcher: Dispatcher; embedder: Embedder | null } {
  const index = config.storeIndex;
  const embedder =
    index && new Embedder({ ask: (...asked) => workers.ask(...asked) }, index);
  const workers: WorkerPool = new WorkerPool({
    size: config.workers,
    runsPerWorker: config.jobsPerWorker,
    project: {
      root: config.root,
      graphs: config.graphs,
      embedding: index?.embedding ?? null,
    },
    launch: options.launch ?? workerProcesses(config, log, address),
    requests: {
      ...checkpointRequests({
        database,
        streams: events,
      }),
      ...storeRequests({ database, ttl: config.storeTtl, embedder }),
    },
    log,
    onEvents: (fence, produced) => events.append(fence, produced),
    onRoom: () => dispatcher.nudgeForRoom(),
    ...(options.onGraph === undefined ? {} : { onGraph: options.onGraph }),
  });
  const settings = engineSettings(config);
  const dispatcher = new Dispatcher({
    database,
    events,
    workers,
    log,
    settings,
    ended,
  });
  return { workers, dispatcher, embedder };
}

const webhookOutbox = (
  { webhooks: { headers, signingKeys } }: Config,
  { address, ...parts }: Parts,
): WebhookOutbox =>
  new WebhookOutbox({
    ...parts,
    headers,
    signingKeys,
    ownUrl: () => address.url,
  });

/** How the processes of the workers are started, with what the project and the user set. */
export function workerProcesses(
  config: Config,
  log: Logger,
  address: Address,
): LaunchWorker {
  const env = () => ({
    ...(address.url === null ? {} : { LANGGRAPH_API_URL: address.url }),
    ...config.workerEnv,
    SPOOL_CACHE_DIR: join(config.dataDir, "schemas"),
  });
  return () =>
    launchWorkerProcess({
      program: WORKER_PROGRAM,
      args: config.graphs.map(({ file }) => file),
      cwd: config.root,
      env: env(),
      heapMb: config.workerHeapMb,
      onOutput: (stream, line) =>
        stream === "stderr" ? log.warn(line) : log.info(line),
    });
}

const toRunDeps = (
  config: Config,
  { policy, ...parts }: Parts & { workers: WorkerPool },
): RunDeps => ({
  ...parts,
  assistants: new KnownAssistants(),
  defaultTtl: config.ttl,
  maxAttempts: Math.max(1, config.maxRetries),
  webhooks: { isEnabled: config.webhooks.isEnabled, policy },
});

/** The routes with their schemas take longer to load than all the rest, so workers start and the user reads meanwhile. */
async function loadApp(
  config: Config,
  deps: RunDeps &
    Pick<Parts, "ended"> & {
      workers: WorkerPool;
      dispatcher: Dispatcher;
      embedder: Embedder | null;
    },
): Promise<App> {
  const { createApp } = await import("./http/app.ts");
  return createApp({
    ...deps,
    storeTtl: config.storeTtl,
    measures: () => ({
      slots: config.workers * config.jobsPerWorker,
      executing: deps.dispatcher.executing,
      room: deps.workers.room,
      ended: Object.fromEntries(ENDS.map((as) => [as, deps.ended.of(as)])),
    }),
    http: {
      cors: config.cors,
      configurableHeaders: config.configurableHeaders,
      disabledRoutes: config.disabledRoutes,
      langsmith: config.langsmith,
      maxBodyBytes: config.bodyLimitBytes,
      langgraphVersion: installedVersion("@langchain/langgraph", config.root),
    },
  });
}

/** In `dev` the next free port does as well, unless the user asked for this one. */
async function listenFor(config: Config): Promise<Listening> {
  const { host, port, mode, bodyLimitBytes: maxFrameBytes } = config;
  const mayMove = mode === "dev" && !port.explicit;
  for (let candidate = port.value; ; candidate += 1) {
    try {
      return await listen({ host, port: candidate, maxFrameBytes });
    } catch (cause) {
      const isTaken = (cause as { code?: string }).code === "EADDRINUSE";
      if (!mayMove || !isTaken || candidate === 65_535) throw cause;
    }
  }
}

/** Whoever has an index that cannot be made hears of it now, and not from the first put. */
async function checkEmbedder(
  embedder: Embedder | null,
  log: Logger,
): Promise<void> {
  await embedder
    ?.check()
    .catch((cause: Error) =>
      log.error(`store items cannot be embedded: ${cause.message}`),
    );
}

function engineSettings(config: Config): EngineSettings {
  const shutdownGraceMs = Math.min(
    config.shutdownGraceSeconds * 1000,
    MAX_TIMER_MS,
  );
  return {
    ...ENGINE_DEFAULTS,
    cancelGraceMs: config.cancelGraceSeconds * 1000,
    runTimeoutMs: Math.min(config.runTimeoutSeconds * 1000, MAX_TIMER_MS),
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
  const reload = async (file: string) => {
    const start = performance.now();
    const outcome = await workers.reload();
    const ms = Math.round(performance.now() - start);
    if (outcome === "replaced")
      log.info({ file, ms }, "the project was reloaded");
    if (outcome === "kept")
      log.error(
        { file },
        "the change does not load; the graphs from before it stay",
      );
  };
  const watcher = watchProject(
    config,
    (file) => {
      reload(file).catch((cause: unknown) =>
        log.error({ err: cause }, "the project could not be reloaded"),
      );
    },
    (cause) =>
      log.warn(
        { err: cause },
        "part of the project cannot be watched; changes there need a restart",
      ),
  );
  return async () => watcher[Symbol.asyncDispose]();
}

function closeOnce(closers: Closers): () => Promise<void> {
  let closing: Promise<void> | null = null;
  const closeAll = async () => {
    const failures: unknown[] = [];
    for (const undo of closers.toReversed())
      try {
        await undo();
      } catch (cause) {
        failures.push(cause); // the others are to be closed all the same
      }
    if (failures.length > 0) throw failures[0];
  };
  return () => (closing ??= closeAll());
}
