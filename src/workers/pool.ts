import { backoffMs } from "../lib/backoff.ts";
import type { Fence } from "../model/run.ts";
import type { Logger } from "../lib/logger.ts";
import { unavailable } from "../model/errors.ts";
import type { ServerRequests, WorkerRequests } from "../protocol/frames.ts";
import { PeerClosedError, type RequestServer } from "../protocol/peer.ts";
import type { ProducedEvent } from "../model/run-event.ts";
import type { RunExecution } from "../protocol/run-frames.ts";
import { asAppError } from "./answer-errors.ts";
import { attemptOutcome, type AttemptOutcome } from "./attempt.ts";
import type { LaunchWorker } from "./launch.ts";
import { Liveness, unlessBlocked, WorkerBlockedError } from "./liveness.ts";
import { LoneWorkers } from "./lone-workers.ts";
import type { GraphState, Workers } from "./port.ts";
import { StandIn } from "./stand-in.ts";
import {
  WorkerHandle,
  type LoadResult,
  type WorkerProject,
} from "./worker-handle.ts";

export interface PoolOptions {
  /** Worker processes to keep alive. */
  size: number;
  /** Runs that one worker executes at once. */
  runsPerWorker: number;
  project: WorkerProject;
  launch: LaunchWorker;
  requests: RequestServer<ServerRequests>;
  log: Logger;
  onEvents: (fence: Fence, events: ProducedEvent[]) => Promise<void> | null;
  /** There may be room for more runs. */
  onRoom: () => void;
  /** A graph has loaded or has failed to, for the first time or after a change. */
  onGraph?: (graph: GraphState) => void;
}

export type ReloadOutcome = "replaced" | "kept" | "superseded";

/** How long a question waits for a first worker to be ready. */
const READY_TIMEOUT_MS = 60_000;

/** Workers of one run each, at least: a long run that was only near a death must not keep the others waiting. */
const LONE_WORKERS = 4;

/** Workers that one question is put to, if they die or are blocked. */
const ASKED_AT_MOST = 3;

/** Keeps workers alive, hands them runs and questions, replaces them when they die or the project changes. */
export class WorkerPool implements Workers, AsyncDisposable {
  readonly #options: PoolOptions;
  #workers: WorkerHandle[] = [];
  readonly #graphs = new Map<string, GraphState>();
  readonly #lone: LoneWorkers;
  readonly #standIn = new StandIn(() => this.#launch());
  readonly #liveness: Liveness;
  #waiting: (() => void)[] = [];
  #isClosed = false;
  #failedStarts = 0;
  #reloading: Promise<unknown> | null = null;
  /** Reloads asked for so far; only the newest matters. */
  #reloads = 0;
  /** Loads the project for a reload, and may never be done with it. */
  #trial: WorkerHandle | null = null;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#lone = new LoneWorkers(
      () => this.#launch(),
      Math.max(options.size, LONE_WORKERS),
    );
    this.#liveness = new Liveness({
      workers: () => this.#workers,
      log: options.log,
      onChange: () => {
        this.#wakeWaiting();
        options.onRoom();
      },
    });
    for (const { graph_id } of options.project.graphs)
      this.#graphs.set(graph_id, { graph_id, state: "loading" });
  }

  /** Launches all workers and resolves when the first is ready, or all have failed once. */
  async start(): Promise<void> {
    const workers = Array.from({ length: this.#options.size }, () =>
      this.#add(),
    );
    await Promise.any(workers.map((worker) => worker.loaded)).catch(() => {});
  }

  graphs(): readonly GraphState[] {
    return [...this.#graphs.values()];
  }

  /** Runs that could start at once. */
  get room(): number {
    return this.#awake().reduce(
      (sum, worker) =>
        sum + Math.max(0, this.#options.runsPerWorker - worker.runs.size),
      0,
    );
  }

  /** Null when no worker is ready. Never rejects. `alone`: in a process of its own. */
  execute(
    run: RunExecution,
    { alone = false } = {},
  ): Promise<AttemptOutcome> | null {
    const worker = leastBusy(this.#awake());
    if (worker === null) return null;
    const executing = alone
      ? this.#lone.execute(run)
      : attemptOutcome(worker, run);
    return executing.finally(() => this.#options.onRoom());
  }

  async cancel(fence: Fence): Promise<void> {
    const { run_id } = fence;
    const worker = this.#lone.workerOf(run_id) ?? this.#workerOf(run_id);
    await worker?.cancel(fence);
  }

  /** Ends the worker that executes the run, and whatever else it does. */
  killWorkerOf(runId: string): void {
    this.#lone.end(runId);
    this.#workerOf(runId)?.end();
  }

  async ask<K extends keyof WorkerRequests & string>(
    method: K,
    params: WorkerRequests[K]["params"],
  ): Promise<WorkerRequests[K]["result"]> {
    for (let times = 1; ; times += 1)
      try {
        // No run can block the last one: it may be the question that takes so long.
        const worker = await (times === ASKED_AT_MOST
          ? this.#standIn.worker()
          : this.#anyAwake());
        return await unlessBlocked(worker, worker.ask(method, params));
      } catch (cause) {
        const isNoAnswer =
          cause instanceof PeerClosedError ||
          cause instanceof WorkerBlockedError;
        if (!isNoAnswer || this.#isClosed || times === ASKED_AT_MOST)
          throw asAppError(cause);
      }
  }

  /**
   * Replaces all workers by ones that load the project anew. When a graph that
   * is being served does not load any more, the old workers stay. "superseded":
   * another reload was asked for meanwhile, and has the answer.
   */
  async reload(): Promise<ReloadOutcome> {
    const turn = (this.#reloads += 1);
    this.#trial?.kill(); // what it loads is not the newest any more
    while (this.#reloading !== null) await this.#reloading.catch(() => {});
    if (this.#isClosed) return "kept";
    if (turn !== this.#reloads) return "superseded";
    const replacing = this.#replaceAll();
    this.#reloading = replacing;
    try {
      const outcome = await replacing;
      const isNewest = turn === this.#reloads;
      return outcome === "kept" && !isNewest ? "superseded" : outcome;
    } finally {
      this.#reloading = null;
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#wakeWaiting();
    this.#liveness[Symbol.dispose]();
    const workers = [...this.#workers];
    if (this.#trial !== null) workers.push(this.#trial);
    for (const worker of workers) worker.kill();
    await Promise.all(workers.map((worker) => worker.exited));
    await this.#lone.close();
    await this.#standIn.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #replaceAll(): Promise<"replaced" | "kept"> {
    const first = this.#launch();
    this.#trial = first;
    const result = await first.loaded.catch(() => null);
    this.#trial = null;
    const broken = result === null ? null : this.#brokenBy(result);
    if (result === null || broken !== null || this.#isClosed) {
      if (broken !== null) this.#options.onGraph?.(broken);
      first.kill();
      return "kept";
    }
    // Also what has replaced a lost worker meanwhile: it may have loaded what was there before.
    const old = this.#workers;
    this.#workers = [...old, first];
    this.#adopt(result, first);
    for (let count = 1; count < this.#options.size; count += 1) this.#add();
    for (const worker of old) worker.retire();
    this.#standIn.retire();
    return "replaced";
  }

  /** The first graph that is served now and would not be any more. */
  #brokenBy(result: LoadResult): GraphState | null {
    for (const [graph_id, failure] of Object.entries(result.failed))
      if (this.#graphs.get(graph_id)?.state === "loaded")
        return { graph_id, state: "failed", failure };
    return null;
  }

  #add(): WorkerHandle {
    const worker = this.#launch((graph) => this.#setGraph(graph));
    this.#workers.push(worker);
    worker.loaded.then(
      (result) => this.#adopt(result, worker),
      () => {}, // it died: #replaceLost acts on it
    );
    return worker;
  }

  #adopt(result: LoadResult, worker: WorkerHandle): void {
    this.#failedStarts = 0;
    for (const [graph_id, failure] of Object.entries(result.failed))
      this.#setGraph({ graph_id, state: "failed", failure });
    for (const graph_id of result.loaded) {
      const milliseconds = worker.loadTimes.get(graph_id) ?? 0;
      this.#setGraph({ graph_id, state: "loaded", milliseconds });
    }
    this.#wakeWaiting();
    this.#options.onRoom();
  }

  /** Each worker loads every graph; only what changed is news. */
  #setGraph(graph: GraphState): void {
    const before = this.#graphs.get(graph.graph_id);
    this.#graphs.set(graph.graph_id, graph);
    if (before?.state !== graph.state || messageOf(before) !== messageOf(graph))
      this.#options.onGraph?.(graph);
  }

  #launch(onGraph?: (graph: GraphState) => void): WorkerHandle {
    const { launch, project, requests, onEvents, log } = this.#options;
    const worker = new WorkerHandle({
      launched: launch(),
      project,
      requests,
      onEvents,
      log,
      ...(onGraph === undefined ? {} : { onGraph }),
    });
    void worker.exited.then((how) => {
      if (!this.#workers.includes(worker)) return; // it never served
      this.#workers = this.#workers.filter((other) => other !== worker);
      if (!worker.wasRetired) this.#replaceLost(worker, how);
    });
    return worker;
  }

  /** A worker that dies while it starts is tried again more and more slowly; one that has served, at once. */
  #replaceLost(worker: WorkerHandle, how: string): void {
    if (this.#isClosed) return;
    const hadLoaded = worker.hasLoaded;
    this.#failedStarts = hadLoaded ? 0 : this.#failedStarts + 1;
    const delay = hadLoaded
      ? 0
      : backoffMs(this.#failedStarts, { firstMs: 1000, maxMs: 30_000 });
    this.#options.log.warn(
      { pid: worker.pid, how, runs: worker.fallen.size },
      hadLoaded
        ? "a worker died and is replaced"
        : `a worker died while it started; trying again in ${delay} ms`,
    );
    setTimeout(() => {
      // A reload may have filled its place.
      if (!this.#isClosed && this.#kept < this.#options.size) this.#add();
    }, delay).unref();
  }

  /** Workers that are there to stay, ready or not. */
  get #kept(): number {
    return this.#workers.filter((worker) => !worker.wasRetired).length;
  }

  async #anyAwake(): Promise<WorkerHandle> {
    const deadline = Date.now() + READY_TIMEOUT_MS;
    for (;;) {
      const worker = leastBusy(this.#awake());
      if (worker !== null) return worker;
      if (this.#areAllBlocked && !this.#isClosed) return this.#standIn.worker();
      const left = deadline - Date.now();
      if (left <= 0 || this.#isClosed)
        throw unavailable("no worker is ready to answer; see the server's log");
      await this.#change(left);
    }
  }

  /** Resolves when a worker gets ready, at the latest after `timeoutMs`. */
  #change(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#waiting.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  #wakeWaiting(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }

  /** Those that take work and answer. */
  #awake(): WorkerHandle[] {
    return this.#workers.filter(
      (worker) => worker.state === "ready" && !worker.blocked.signal.aborted,
    );
  }

  /** And none is on its way. */
  get #areAllBlocked(): boolean {
    const kept = this.#workers.filter((worker) => !worker.wasRetired);
    return (
      kept.length > 0 && kept.every((worker) => worker.blocked.signal.aborted)
    );
  }

  #workerOf(runId: string): WorkerHandle | undefined {
    return this.#workers.find((worker) => worker.runs.has(runId));
  }
}

const messageOf = (graph: GraphState): string | null =>
  graph.state === "failed" ? graph.failure.message : null;

const load = (worker: WorkerHandle): number => worker.runs.size + worker.asked;

const leastBusy = (workers: WorkerHandle[]): WorkerHandle | null =>
  workers.reduce<WorkerHandle | null>(
    (best, worker) =>
      best === null || load(worker) < load(best) ? worker : best,
    null,
  );
