import { setTimeout as delay } from "node:timers/promises";
import type { Fence } from "../model/run.ts";
import type { Logger } from "../lib/logger.ts";
import type {
  ServerNotices,
  ServerRequests,
  WorkerNotices,
  WorkerRequests,
} from "../protocol/frames.ts";
import type { EmbeddingSpec } from "../protocol/embedding-frames.ts";
import type { GraphFailure } from "../protocol/graph-frames.ts";
import type { GraphSpec } from "../protocol/graph-frames.ts";
import {
  Peer,
  type NoticeServer,
  type RequestServer,
} from "../protocol/peer.ts";
import type { ProducedEvent } from "../model/run-event.ts";
import type { RunExecution, RunReport } from "../protocol/run-frames.ts";
import type { LaunchedWorker } from "./launch.ts";
import type { GraphState } from "./port.ts";

/*
 *   starting ──project loaded──► ready ──retire──► retired ──last run ends──► gone
 *       └───────────────────── the process dies ──────────────────────────────▲
 *
 * Only a ready worker gets new work; a retired one ends what it has.
 */
export type WorkerState = "starting" | "ready" | "retired" | "gone";

export interface WorkerProject {
  root: string;
  graphs: GraphSpec[];
  /** Null: the store has no index. */
  embedding?: EmbeddingSpec | null;
}

export interface WorkerHandleOptions {
  launched: LaunchedWorker;
  project: WorkerProject;
  requests: RequestServer<ServerRequests>;
  /** Null, or a promise until which this worker is not read: events come faster than they can be kept. */
  onEvents: (fence: Fence, events: ProducedEvent[]) => Promise<void> | null;
  onGraph?: (graph: GraphState) => void;
  log: Logger;
}

export interface LoadResult {
  loaded: string[];
  failed: Record<string, GraphFailure>;
}

/** A process that has gone says why a little later than its pipe says that it has. */
const EXIT_WORD_MS = 100;

/** One worker, as the server sees it. */
export class WorkerHandle {
  state: WorkerState = "starting";
  /** Resolves when all graphs are loaded or have failed to; rejects when the worker died before. */
  readonly loaded: Promise<LoadResult>;
  readonly exited: Promise<string>;
  readonly pid: number | null;
  readonly runs = new Set<string>();
  /** The runs that it had when it died. */
  fallen: ReadonlySet<string> = new Set();
  /** Milliseconds that each graph took to load. */
  readonly loadTimes = new Map<string, number>();
  hasLoaded = false;
  wasRetired = false;
  /** Runs that it was at when it died. */
  lostRuns = 0;
  /** We have killed it, for one of its runs. */
  wasEnded = false;
  /** Aborted while a graph keeps its event loop from turning; a new one when it turns again. */
  blocked = new AbortController();
  /** Questions in flight, for choosing the least busy worker. */
  asked = 0;
  readonly #launched: LaunchedWorker;
  readonly #onEvents: WorkerHandleOptions["onEvents"];
  readonly #peer: Peer<
    ServerRequests,
    ServerNotices,
    WorkerRequests,
    WorkerNotices
  >;

  constructor(options: WorkerHandleOptions) {
    const { launched } = options;
    this.#launched = launched;
    this.#onEvents = options.onEvents;
    this.pid = launched.pid;
    this.#peer = new Peer({
      pipe: launched.pipe,
      runtime: `node ${process.versions.node}`,
      requests: options.requests,
      notices: this.#notices(options),
    });
    this.exited = this.#watch();
    this.loaded = this.#load(options.project);
    this.loaded.catch(() => {}); // the pool hears of it through `exited`, too
  }

  ask<K extends keyof WorkerRequests & string>(
    method: K,
    params: WorkerRequests[K]["params"],
  ): Promise<WorkerRequests[K]["result"]> {
    this.asked += 1;
    return this.#peer.request(method, params).finally(() => {
      this.asked -= 1;
      this.#leaveWhenIdle();
    });
  }

  /** Resolves when its event loop has turned. Rejects with PeerClosedError when the worker dies. */
  async ping(): Promise<void> {
    await this.#peer.request("ping", null);
  }

  /** Rejects with PeerClosedError when the worker dies. */
  async execute(run: RunExecution): Promise<RunReport> {
    this.runs.add(run.run_id);
    try {
      return await this.#peer.request("run.execute", run);
    } finally {
      this.runs.delete(run.run_id);
      this.#leaveWhenIdle();
    }
  }

  async cancel(fence: Fence): Promise<void> {
    await this.#peer.notify("run.cancel", fence);
  }

  /** No new work; the process ends with its last run. */
  retire(): void {
    this.wasRetired = true;
    if (this.state === "gone") return;
    this.state = "retired";
    this.#leaveWhenIdle();
  }

  /** Kills it because of one of its runs. */
  end(): void {
    this.wasEnded = true;
    this.kill();
  }

  kill(): void {
    this.#launched.kill();
    this.#peer.close();
  }

  #leaveWhenIdle(): void {
    if (this.state === "retired" && this.runs.size === 0 && this.asked === 0)
      this.kill();
  }

  async #watch(): Promise<string> {
    const closed = this.#peer.closed.then(async (error) => {
      this.#die();
      await delay(EXIT_WORD_MS);
      return error?.message ?? "its pipe was closed";
    });
    const how = await Promise.race([this.#launched.exited, closed]);
    this.#die();
    this.kill(); // a process without a pipe is of no use, nor is a pipe without a process
    return how;
  }

  /** Before those who wait for its runs hear of it, and take them away. */
  #die(): void {
    if (this.state === "gone") return;
    this.state = "gone";
    this.fallen = new Set(this.runs);
  }

  async #load(project: WorkerProject): Promise<LoadResult> {
    await this.#peer.ready;
    const result = await this.#peer.request("project.load", project);
    this.hasLoaded = true;
    if (this.state === "starting") this.state = "ready";
    return result;
  }

  #notices({
    launched,
    onEvents,
    onGraph,
    log,
  }: WorkerHandleOptions): NoticeServer<ServerNotices> {
    return {
      "run.events": ({ run_id, attempt, events }) => {
        const room = onEvents({ run_id, attempt }, events);
        if (room === null) return;
        launched.pipe.pause();
        void room.finally(() => launched.pipe.resume());
      },
      "graph.loaded": ({ graph_id, milliseconds }) => {
        this.loadTimes.set(graph_id, milliseconds);
        onGraph?.({ graph_id, state: "loaded", milliseconds });
      },
      "graph.failed": ({ graph_id, failure }) =>
        onGraph?.({ graph_id, state: "failed", failure }),
      log: ({ run_id, stream, text }) => {
        const fields = run_id === null ? {} : { run_id };
        if (stream === "stderr") log.warn(fields, text);
        else log.info(fields, text);
      },
    };
  }
}
