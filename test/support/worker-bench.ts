import { spawn, type ChildProcess } from "node:child_process";
import type { Duplex } from "node:stream";
import { fileURLToPath } from "node:url";
import { uuid7 } from "../../src/lib/uuid.ts";
import type { RunKwargs } from "../../src/model/run.ts";
import type {
  ServerNotices,
  ServerRequests,
  WorkerNotices,
  WorkerRequests,
} from "../../src/protocol/frames.ts";
import type { GraphFailure } from "../../src/protocol/graph-frames.ts";
import type { GraphSpec } from "../../src/protocol/graph-frames.ts";
import { Peer } from "../../src/protocol/peer.ts";
import { memoryPipe, Pipe } from "../../src/protocol/pipe.ts";
import type { ProducedEvent } from "../../src/model/run-event.ts";
import type {
  RunExecution,
  RunOutcome,
  RunReport,
} from "../../src/protocol/run-frames.ts";
import { serveWorker } from "../../src/worker/worker.ts";
import {
  checkpointRequests,
  storeRunWrites,
} from "../../src/workers/checkpoint-requests.ts";
import { storeRequests } from "../../src/workers/store-requests.ts";
import { openTestDatabase, type TestDatabase } from "./databases.ts";
import { endRun, insertRunningRun } from "./worker-pipe.ts";
import { PROTOCOL_PREFIX } from "../../src/model/run-event.ts";

export const WORKER_GRAPHS = fileURLToPath(
  new URL("../fixtures/worker-graphs", import.meta.url),
);

type Log = ServerNotices["log"];

/** The server's end of a worker's pipe, with a real database behind it. */
export class WorkerBench implements AsyncDisposable {
  readonly logs: Log[] = [];
  readonly notices: string[] = [];
  readonly failures = new Map<string, GraphFailure>();
  readonly child: ChildProcess | null;
  readonly database: TestDatabase["database"];
  readonly #files: TestDatabase;
  readonly #events = new Map<string, ProducedEvent[]>();
  readonly #peer: Peer<
    ServerRequests,
    ServerNotices,
    WorkerRequests,
    WorkerNotices
  >;
  /** The sizes of the batches of events, in order. */
  readonly batches: number[] = [];

  /** A worker inside this process. */
  static async inProcess(): Promise<WorkerBench> {
    const [serverEnd, workerEnd] = memoryPipe();
    serveWorker(workerEnd);
    return new WorkerBench(await openTestDatabase(), serverEnd, null);
  }

  /** The worker program as a process, from source. */
  static async spawned(cwd = WORKER_GRAPHS): Promise<WorkerBench> {
    const child = spawn(
      process.execPath,
      [
        "--import",
        import.meta.resolve("@oxc-node/core/register"),
        fileURLToPath(new URL("../../src/worker/main.ts", import.meta.url)),
      ],
      { cwd, stdio: ["ignore", "inherit", "inherit", "pipe"] },
    );
    const pipe = new Pipe(child.stdio[3] as Duplex);
    return new WorkerBench(await openTestDatabase(), pipe, child);
  }

  constructor(files: TestDatabase, pipe: Pipe, child: ChildProcess | null) {
    this.#files = files;
    this.child = child;
    this.database = files.database;
    this.#peer = new Peer<
      ServerRequests,
      ServerNotices,
      WorkerRequests,
      WorkerNotices
    >({
      pipe,
      runtime: "server under test",
      requests: {
        ...checkpointRequests(files),
        ...storeRequests(files),
      },
      notices: {
        log: (line) => void this.logs.push(line),
        "graph.loaded": ({ graph_id }) =>
          void this.notices.push(`loaded ${graph_id}`),
        "graph.failed": ({ graph_id, failure }) => {
          this.notices.push(`failed ${graph_id}`);
          this.failures.set(graph_id, failure);
        },
        "run.events": ({ run_id, events }) => {
          this.batches.push(events.length);
          this.#eventsOf(run_id).push(...events);
        },
      },
    });
  }

  /** `graphs` are graph id -> `file:export`, relative to the fixtures. */
  load(graphs: Record<string, string>, root = WORKER_GRAPHS) {
    const specs = Object.entries(graphs).map(([graph_id, place]): GraphSpec => {
      const [path = "", export_name = "default"] = place.split(":");
      return {
        graph_id,
        file: `${root}/${path}`,
        export_name,
        description: null,
      };
    });
    return this.#peer.request("project.load", { root, graphs: specs });
  }

  ask<K extends keyof WorkerRequests & string>(
    method: K,
    params: WorkerRequests[K]["params"],
  ): Promise<WorkerRequests[K]["result"]> {
    return this.#peer.request(method, params);
  }

  /** A run that the queue has given to this worker. */
  async claimed(
    graph_id: string,
    kwargs: Partial<RunKwargs> = {},
    more: Partial<RunExecution> = {},
  ): Promise<RunExecution> {
    const run = await this.database.transaction((tx) =>
      insertRunningRun(tx, more.thread_id),
    );
    return {
      assistant_id: uuid7(),
      graph_id,
      metadata: {},
      head: null,
      resume: false,
      watched: true,
      followed: false,
      ...more,
      ...run,
      kwargs: { ...KWARGS, ...kwargs },
    };
  }

  report(run: RunExecution): Promise<RunReport> {
    return this.#peer.request("run.execute", run);
  }

  /** Stores what came with the end, as the engine does. */
  async execute(run: RunExecution): Promise<RunOutcome> {
    const report = await this.report(run);
    this.#eventsOf(run.run_id).push(...report.events);
    if (report.writes.length > 0)
      await this.database.transaction((tx) =>
        storeRunWrites(tx, run, report.writes),
      );
    return report.outcome;
  }

  /** Claims, executes and ends. */
  async run(
    graph_id: string,
    kwargs: Partial<RunKwargs> = {},
    more: Partial<RunExecution> = {},
  ) {
    const run = await this.claimed(graph_id, kwargs, more);
    const outcome = await this.execute(run);
    await this.database.transaction((tx) => endRun(tx, run.run_id));
    return { run, outcome, events: this.events(run) };
  }

  cancel({ run_id, attempt }: RunExecution): Promise<void> {
    return this.#peer.notify("run.cancel", { run_id, attempt });
  }

  /** Name and parsed data of the frames so far. */
  events({ run_id }: { run_id: string }): [string, unknown][] {
    return this.#eventsOf(run_id).map(([name, data]) => [
      name,
      JSON.parse(data),
    ]);
  }

  closePipe(): void {
    this.#peer.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#peer.close();
    if (this.child !== null && this.child.exitCode === null)
      await new Promise((resolve) => this.child?.once("exit", resolve));
    await this.#files.close();
  }

  #eventsOf(runId: string): ProducedEvent[] {
    const events = this.#events.get(runId) ?? [];
    this.#events.set(runId, events);
    return events;
  }
}

const KWARGS: RunKwargs = {
  input: null,
  command: null,
  config: {},
  context: null,
  stream_mode: ["values"],
  subgraphs: false,
  resumable: false,
  interrupt_before: null,
  interrupt_after: null,
  durability: "async",
  strict_resume: false,
  protocol: null,
  temporary: false,
  webhook: null,
  feedback_keys: null,
};

/** What the run streams show of a run's events; the others are for the protocol alone. */
export const streamed = <E extends readonly [name: string, ...unknown[]]>(
  events: readonly E[],
): E[] => events.filter(([name]) => !name.startsWith(PROTOCOL_PREFIX));
