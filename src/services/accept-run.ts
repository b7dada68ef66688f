import { uuid7 } from "../lib/uuid.ts";
import type { Caller } from "../auth/caller.ts";
import type { Assistant } from "../model/assistant.ts";
import type { MultitaskStrategy, Run } from "../model/run.ts";
import { conflict } from "../model/errors.ts";
import type {
  RunCreate,
  StatelessRunCreate,
  ThreadRunCreate,
} from "../model/run-requests.ts";
import {
  asksForStates,
  inProtocol,
  type ProtocolRunCreate,
} from "../model/protocol-run.ts";
import { CHANNELS } from "../storage/channels.ts";
import type { Queryable } from "../storage/database.ts";
import {
  insertRun,
  listUnfinishedRuns,
  type UnfinishedRun,
} from "../storage/runs.ts";
import { markThreadBusy } from "../storage/thread-turn.ts";
import { readHead } from "../storage/thread-head.ts";
import {
  insertThread,
  lockThread,
  type ThreadHandle,
} from "../storage/threads.ts";
import { requireAssistant } from "./assistants.ts";
import { makeRoom, type Room } from "./multitask.ts";
import { announceStopped } from "./stop-run.ts";
import { checkpointNotFound } from "./state-target.ts";
import { threadNotFound } from "./threads.ts";
import { assembleKwargs } from "./run-kwargs.ts";
import type { RunDeps } from "./run-deps.ts";
import { requireWebhook } from "./webhooks.ts";

/*
 * Accepting a run is one transaction: the thread is locked (or made), the
 * multitask strategy decides, the run gets its place in the queue, the thread
 * gets busy. Once that is on disk the run will be executed, whatever dies.
 */

/**
 * Creates a run on a thread. Throws 404 for an unknown assistant or thread,
 * 409 when the strategy is `reject` and another run is in flight.
 */
export async function createThreadRun(
  deps: RunDeps,
  caller: Caller,
  params: ThreadRunParams,
): Promise<Run> {
  return accept(deps, await threadAcceptance(deps, caller, params));
}

interface ThreadRunParams {
  thread_id: string;
  request: ProtocolRunCreate;
  isStreamed?: boolean;
  /** Its client does not wait for it here. */
  isBackground?: boolean;
}

/** What `acceptIn` needs to create a run on a thread. */
export async function threadAcceptance(
  deps: RunDeps,
  caller: Caller,
  params: ThreadRunParams,
): Promise<Acceptance> {
  const { thread_id, isStreamed = false, isBackground = false } = params;
  const isWatched = isBackground && deps.events.isRead(thread_id);
  const request =
    isWatched && asksForStates(params.request)
      ? inProtocol(params.request, { answers: [] })
      : params.request;
  requireWebhook(deps, request.webhook);
  const assistant = await requireAssistant(deps, caller, request.assistant_id);
  return {
    assistant,
    request,
    strategy: request.multitask_strategy,
    temporary: false,
    headers: caller.headers ?? {},
    isStreamed,
    openThread: (tx) =>
      openThread(tx, deps, caller, { thread_id, request, assistant }),
  };
}

/** Creates a run on a thread of its own, which goes with the run unless it is to be kept. */
export async function createStatelessRun(
  deps: RunDeps,
  caller: Caller,
  params: { request: StatelessRunCreate; isStreamed?: boolean },
): Promise<Run> {
  return accept(deps, await statelessAcceptance(deps, caller, params));
}

/** Runs on threads of their own, in the order of the requests: all of them, or none. */
export async function createRunBatch(
  deps: RunDeps,
  caller: Caller,
  requests: readonly StatelessRunCreate[],
): Promise<Run[]> {
  const acceptances: Acceptance[] = [];
  for (const [index, request] of requests.entries()) {
    const place = `body[${index}].`;
    acceptances.push(
      await statelessAcceptance(deps, caller, { request, place }),
    );
  }
  const accepted = await deps.database.transaction(async (tx) => {
    const all: Accepted[] = [];
    for (const one of acceptances) all.push(await acceptIn(tx, deps, one));
    return all;
  });
  for (const one of accepted) announce(deps, one);
  return accepted.map(({ run }) => run);
}

/** What `acceptIn` needs to create a run on a thread of its own. */
export async function statelessAcceptance(
  deps: RunDeps,
  caller: Caller,
  params: {
    request: StatelessRunCreate;
    isStreamed?: boolean;
    /** How the names of its fields begin, where it is part of a longer request. */
    place?: string;
  },
): Promise<Acceptance> {
  const { request, isStreamed = false, place = "" } = params;
  requireWebhook(deps, request.webhook, `${place}webhook`);
  const assistant = await requireAssistant(deps, caller, request.assistant_id);
  const temporary = request.on_completion === "delete";
  const thread = { thread_id: uuid7(), request, assistant, temporary };
  return {
    assistant,
    request,
    strategy: "enqueue",
    temporary,
    headers: caller.headers ?? {},
    isStreamed,
    openThread: async (tx) => newThread(await makeThread(tx, deps, thread)),
  };
}

/** Its id was made for it. */
function newThread(thread: ThreadHandle | null): OpenThread {
  if (thread === null) throw conflict("Thread already exists");
  return { thread, unfinished: [] };
}

export interface Acceptance {
  assistant: Assistant;
  request: RunCreate;
  strategy: MultitaskStrategy;
  temporary: boolean;
  headers: NonNullable<Caller["headers"]>;
  isStreamed: boolean;
  openThread: (tx: Queryable) => Promise<OpenThread>;
}

/** A thread that is locked, and the runs on it that have not ended. */
interface OpenThread {
  thread: ThreadHandle;
  unfinished: UnfinishedRun[];
}

export interface Accepted {
  run: Run;
  room: Room;
  request: RunCreate;
}

async function accept(deps: RunDeps, params: Acceptance): Promise<Run> {
  const accepted = await deps.database.transaction((tx) =>
    acceptIn(tx, deps, params),
  );
  announce(deps, accepted);
  return accepted.run;
}

/** To be called after the commit of what `acceptIn` was part of. */
export function announce(
  { database, log }: RunDeps,
  { run: { run_id, thread_id }, room, request }: Accepted,
): void {
  announceStopped(database, thread_id, room);
  const { unknown_stream_modes: unknown } = request;
  if (unknown.length > 0)
    log.warn({ run_id, unknown }, "unknown stream modes are ignored");
  if (request.after_seconds > 0) database.notify(CHANNELS.delays, thread_id);
}

/** Accepts a run in a transaction that may have more to do. */
export async function acceptIn(
  tx: Queryable,
  deps: RunDeps,
  params: Acceptance,
): Promise<Accepted> {
  const run_id = uuid7();
  const { thread, unfinished } = await params.openThread(tx);
  const { thread_id } = thread;
  await requireCheckpoint(tx, thread, params.request);
  const { strategy } = params;
  const room = await makeRoom(tx, { thread_id, unfinished, run_id, strategy });
  const run = await enqueue(tx, deps, { ...params, run_id, thread, room });
  return { run, room, request: params.request };
}

async function enqueue(
  tx: Queryable,
  deps: RunDeps,
  params: Acceptance & { run_id: string; thread: ThreadHandle; room: Room },
): Promise<Run> {
  const { request, assistant, run_id, thread, room } = params;
  const { thread_id } = thread;
  const { graph_id, assistant_id } = assistant;
  const afterMs = request.after_seconds * 1000;
  const q = afterMs > 0 ? "delayed" : room.isTurnTaken ? "behind" : "ready";
  const marked = markThreadBusy(tx, {
    ...{ thread_id, graph_id, assistant_id },
    metadata: thread.metadata,
    hasTurn: q === "ready",
  });
  const inserted = insertRun(tx, {
    run_id,
    thread_id,
    assistant_id,
    graph_id,
    seq: null, // that which the thread gives out now
    q,
    multitask_strategy: params.strategy,
    afterMs,
    max_attempts: deps.maxAttempts,
    keeps_events:
      params.isStreamed ||
      request.stream_resumable ||
      !deps.database.isExclusive, // readers at other servers have only the table
    webhook: deps.webhooks.isEnabled ? (request.webhook ?? null) : null,
    kwargs: assembleKwargs({ ...params, thread_id }),
    metadata: {
      ...assistant.metadata,
      ...thread.metadata,
      // The thread may have been another graph's until now.
      graph_id,
      assistant_id,
      ...request.metadata,
    },
  });
  const [run] = await Promise.all([inserted, marked]);
  return run;
}

interface NewRunThread {
  thread_id: string;
  request: RunCreate;
  assistant: Assistant;
  temporary?: boolean;
}

async function openThread(
  tx: Queryable,
  deps: RunDeps,
  caller: Caller,
  params: NewRunThread & { request: ThreadRunCreate },
): Promise<OpenThread> {
  const { thread_id } = params;
  const there = await lockedThread(tx, thread_id, caller);
  if (there !== null) return there;
  if (params.request.if_not_exists === "create") {
    const thread = await makeThread(tx, deps, params);
    if (thread !== null) return { thread, unfinished: [] };
    // Somebody has just made it, or it is hidden from the caller: never run on that one.
    const now = await lockedThread(tx, thread_id, caller);
    if (now !== null) return now;
  }
  throw threadNotFound(thread_id);
}

async function lockedThread(
  tx: Queryable,
  threadId: string,
  { access }: Caller,
): Promise<OpenThread | null> {
  const [thread, unfinished] = await Promise.all([
    lockThread(tx, threadId, access),
    listUnfinishedRuns(tx, threadId), // sent behind it, so it sees what the lock protects
  ]);
  return thread && { thread, unfinished };
}

/** Its metadata names the graph, and takes the run's: there is none to protect yet. Null when there is one with that id. */
async function makeThread(
  tx: Queryable,
  deps: RunDeps,
  params: NewRunThread,
): Promise<ThreadHandle | null> {
  const { thread_id, request, assistant, temporary = false } = params;
  const { graph_id, assistant_id } = assistant;
  const inserted = await insertThread(tx, {
    thread_id,
    metadata: { ...request.metadata, graph_id, assistant_id },
    ttl: deps.defaultTtl,
    temporary,
  });
  if (inserted === null) return null;
  return { ...inserted, temporary, run_seq: 0, values_paged: false };
}

/** LangGraph would start an empty state from a checkpoint that is not there. */
async function requireCheckpoint(
  tx: Queryable,
  { thread_id }: ThreadHandle,
  { checkpoint, checkpoint_id: short }: RunCreate,
): Promise<void> {
  const checkpoint_id = checkpoint?.checkpoint_id ?? short;
  if (checkpoint_id === undefined) return;
  const checkpoint_ns = checkpoint?.checkpoint_ns ?? "";
  const at = { thread_id, checkpoint_ns, checkpoint_id };
  if ((await readHead(tx, at)) === null)
    throw checkpointNotFound(thread_id, checkpoint_id);
}
