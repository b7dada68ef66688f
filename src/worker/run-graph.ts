import { Command } from "@langchain/langgraph";
import type { Fence, RefusedResume, StreamMode } from "../model/run.ts";
import type { Json } from "../lib/json.ts";
import type { ThreadSnapshot } from "../model/thread.ts";
import {
  PeerClosedError,
  PeerError,
  type NoticeServer,
  type RequestServer,
} from "../protocol/peer.ts";
import { feedbackEvents, runTracer } from "./langsmith.ts";
import type { ProducedEvent } from "../model/run-event.ts";
import type {
  RunControls,
  RunExecution,
  RunOutcome,
  RunReport,
  RunRequests,
} from "../protocol/run-frames.ts";
import { bindGraph } from "./bind-graph.ts";
import { runCheckpointPort, type RunCheckpointPort } from "./checkpointer.ts";
import type { WorkerContext } from "./context.ts";
import { EventSender } from "./event-sender.ts";
import type { CompiledGraph } from "./graph-exports.ts";
import { buildGraph } from "./load-graphs.ts";
import { requireDestinations } from "./known-nodes.ts";
import { nodesSettled } from "./node-calls.ts";
import { MessageBlocks } from "./message-blocks.ts";
import type { Pace } from "./pace.ts";
import type { Prints } from "./prints.ts";
import { stoppedAtBreakpoint } from "./run-breakpoints.ts";
import { RunCheckpointer } from "./run-checkpointer.ts";
import { ProtocolFrames } from "./protocol-frames.ts";
import { runCall, runConfigurable } from "./run-config.ts";
import { runError } from "./run-error.ts";
import { runSnapshot } from "./run-snapshot.ts";
import { runStream } from "./run-stream.ts";
import { StepGate } from "./step-gate.ts";
import { SpoolStore } from "./store.ts";
import { StreamTransformers } from "./stream-transformers.ts";
import { StreamFrames } from "./stream-frames.ts";

/** One attempt, while it runs here. */
interface Attempt {
  run: RunExecution;
  abort: AbortController;
  lost: boolean;
}

export interface RunDeps {
  /** Its `peer` may still be missing when this is made. */
  context: WorkerContext;
  prints: Prints;
}

export interface RunServer {
  requests: RequestServer<RunRequests>;
  notices: NoticeServer<RunControls>;
  /** Aborts all attempts, for when there is nobody left to run for. */
  abortAll(): void;
}

/** Runs graphs, many at once. */
export function runRequests(deps: RunDeps): RunServer {
  const attempts = new Map<string, Attempt>();
  return {
    requests: {
      "run.execute": async (run) => {
        const attempt = { run, abort: new AbortController(), lost: false };
        attempts.set(attemptKey(run), attempt);
        try {
          return await deps.prints.ofRun(run.run_id, () =>
            execute(deps, attempt),
          );
        } finally {
          attempts.delete(attemptKey(run));
        }
      },
    },
    notices: {
      "run.cancel": (params) => cancel(attempts.get(attemptKey(params))),
    },
    abortAll: () => attempts.forEach(cancel),
  };
}

const attemptKey = (of: Fence) => `${of.run_id}/${of.attempt}`;

/** Where what an attempt produces goes. */
interface Outlets {
  sender: EventSender;
  port: RunCheckpointPort;
}

const NOTHING_LEFT: Omit<RunReport, "outcome"> = { events: [], writes: [] };

/** Rejects only when the server could not do its part: such an attempt says nothing about the graph. */
async function execute(deps: RunDeps, attempt: Attempt): Promise<RunReport> {
  const pace = paceOf(attempt.run);
  const { peer } = deps.context;
  const sender = new EventSender(peer, attemptOf(attempt.run), pace);
  const port = checkpointPort(deps, attempt, { sender, pace });
  const outlets = { sender, port };
  const outcome = await outcomeOf(deps, attempt, outlets);
  if (outcome.status === "lost") return { outcome, ...NOTHING_LEFT };
  try {
    return { outcome, ...(await restOf(outcome, outlets)) };
  } catch (cause) {
    const failure = await failed(deps, attempt, { cause, graph: null });
    return { outcome: failure, ...NOTHING_LEFT };
  }
}

/** Nobody sees what a quick run does before it ends, unless it streams more than its states. */
const paceOf = ({ watched, kwargs }: RunExecution): Pace =>
  watched ||
  kwargs.durability === "sync" ||
  kwargs.stream_mode.some((mode) => mode !== "values")
    ? "watched"
    : "unwatched";

async function outcomeOf(
  deps: RunDeps,
  attempt: Attempt,
  { sender, port }: Outlets,
): Promise<RunOutcome> {
  let graph: CompiledGraph | null = null;
  try {
    graph = await boundGraph(deps, attempt, port);
    await produce(deps, attempt, { graph, sender });
    if (attempt.lost) return { status: "lost" };
    return {
      status: "success",
      snapshot: await runSnapshot(graph, attempt.run),
    };
  } catch (cause) {
    return await failed(deps, attempt, { cause, graph });
  }
}

/** Rejects when something that was sent could not be stored. Whoever makes up the snapshot that is missing must find everything stored. */
async function restOf(
  outcome: RunOutcome,
  { sender, port }: Outlets,
): Promise<Omit<RunReport, "outcome">> {
  const isWhole = "snapshot" in outcome && outcome.snapshot !== null;
  if (!isWhole) {
    await sender.drain();
    await port.flushed();
    return NOTHING_LEFT;
  }
  return { events: sender.rest(), writes: await port.rest() };
}

function checkpointPort(
  { context }: RunDeps,
  attempt: Attempt,
  { sender, pace }: { sender: EventSender; pace: Pace },
): RunCheckpointPort {
  const { run } = attempt;
  return runCheckpointPort(context.peer, {
    fence: attemptOf(run),
    thread_id: run.thread_id,
    head: run.head,
    durable: run.kwargs.durability === "sync",
    pace,
    beforeWrite: () => sender.flush(),
    onLost: () => {
      attempt.lost = true;
      attempt.abort.abort(new Error("the lease of this attempt is lost"));
    },
  });
}

async function boundGraph(
  deps: RunDeps,
  attempt: Attempt,
  port: RunCheckpointPort,
): Promise<CompiledGraph> {
  const { run } = attempt;
  const graph = await buildGraph(deps.context.project, run.graph_id, {
    configurable: runConfigurable(run) as Record<string, Json>,
    context: run.kwargs.context,
    accessContext: "threads.create_run",
  });
  return bindGraph(graph, {
    checkpointer: new RunCheckpointer(port),
    store: new SpoolStore(deps.context.peer),
    // With `sync` LangGraph waits for each step itself, with `exit` it stores none.
    ...(run.kwargs.durability === "async" && {
      gate: new StepGate(() => port.sendNow(), attempt.abort.signal),
    }),
  });
}

/** Runs the graph and sends the frames that were asked for. */
async function produce(
  { prints }: RunDeps,
  attempt: Attempt,
  { graph, sender }: { graph: CompiledGraph; sender: EventSender },
): Promise<void> {
  const { run, abort } = attempt;
  const { stream_mode: modes, subgraphs } = run.kwargs;
  if (run.resume && (await stoppedAtBreakpoint(graph, run))) return;
  const isOfProtocol = run.kwargs.protocol != null;
  const blocks = run.followed && !isOfProtocol ? new MessageBlocks() : null;
  const frames = new ProtocolFrames({
    frames: new StreamFrames({ modes, subgraphs }),
    transformers: isOfProtocol ? StreamTransformers.of(graph) : null,
    blocks,
  });
  const call = runCall(run, abort.signal);
  const tracer = await runTracer(run, process.env);
  if (tracer !== null) call.options.callbacks = [tracer];
  if (call.input instanceof Command) requireDestinations(graph, call.input);
  try {
    const stream_mode: StreamMode[] =
      blocks === null ? modes : [...modes, "messages-tuple"];
    const stream = { graph, call, ...run.kwargs, stream_mode };
    for await (const produced of runStream(stream)) {
      const events =
        "chunk" in produced
          ? frames.of(produced.chunk)
          : frames.ofEvent(produced.event);
      for (const event of events) await sender.send(event);
    }
    for await (const event of frames.ofEnd()) await sender.send(event);
    for (const event of await feedback(run, prints)) await sender.send(event);
  } catch (cause) {
    if (!attempt.lost)
      for (const event of frames.ofFailure(cause, abort.signal))
        await sender.send(event);
    throw cause;
  }
}

/** Nobody can be asked for feedback when LangSmith has no links to give; the run itself is well. */
async function feedback(
  run: RunExecution,
  prints: Prints,
): Promise<ProducedEvent[]> {
  return feedbackEvents(run, process.env).catch((cause: unknown) => {
    prints.error(run.run_id, cause);
    return [];
  });
}

const attemptOf = ({ run_id, attempt }: RunExecution) => ({ run_id, attempt });

async function failed(
  deps: RunDeps,
  attempt: Attempt,
  { cause, graph }: { cause: unknown; graph: CompiledGraph | null },
): Promise<RunOutcome> {
  const isCancelled = attempt.abort.signal.aborted;
  if (isCancelled) await nodesSettled(attempt.run.run_id);
  if (attempt.lost) return { status: "lost" };
  if (!isCancelled && isServerFault(cause)) throw cause;
  const snapshot = await snapshotOrNull(graph, attempt);
  if (attempt.lost) return { status: "lost" };
  if (isCancelled) return { status: "interrupted", snapshot };
  deps.prints.error(attempt.run.run_id, cause);
  return {
    ...{ status: "error", error: runError(cause), snapshot },
    ...refusalOf(cause),
  };
}

/** Of LangGraph's `UnknownInterruptError`. */
function refusalOf(cause: unknown): { refusal?: RefusedResume } {
  if (!(cause instanceof Error) || cause.name !== "UnknownInterruptError")
    return {};
  const { reason, interruptIds, pendingIds } = cause as Error & {
    reason?: string;
    interruptIds?: string[];
    pendingIds?: string[];
  };
  return reason === undefined
    ? {}
    : {
        refusal: {
          reason,
          interrupt_ids: interruptIds ?? [],
          pending_ids: pendingIds ?? [],
        },
      };
}

/** The user's code is not at fault when the server could not store or read. */
function isServerFault(cause: unknown): boolean {
  if (cause instanceof PeerClosedError) return true;
  return (
    cause instanceof PeerError &&
    (cause.remote.code === "unavailable" ||
      cause.remote.code === "storage_full")
  );
}

async function snapshotOrNull(
  graph: CompiledGraph | null,
  { run }: Attempt,
): Promise<ThreadSnapshot | null> {
  if (graph === null) return null;
  return runSnapshot(graph, run).catch(() => null);
}

function cancel(attempt: Attempt | undefined): void {
  attempt?.abort.abort(new Error("the run was cancelled"));
}
