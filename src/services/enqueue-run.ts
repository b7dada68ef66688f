import type { JsonObject } from "../lib/json.ts";
import { conflict } from "../model/errors.ts";
import type { Run } from "../model/run.ts";
import type { RunCreate } from "../model/run-requests.ts";
import { UNRESTRICTED } from "../model/access.ts";
import type { Queryable } from "../storage/database.ts";
import type { AtOnce } from "../storage/run-acceptance.ts";
import {
  getRun,
  insertRun,
  listUnfinishedRuns,
  type UnfinishedRun,
} from "../storage/runs.ts";
import { markThreadBusy } from "../storage/thread-turn.ts";
import { readHead } from "../storage/thread-head.ts";
import {
  insertThread,
  lockThread,
  type NewThread,
  type ThreadHandle,
} from "../storage/threads.ts";
import { makeRoom, type Room } from "./multitask.ts";
import { checkpointNotFound } from "./state-target.ts";
import { threadNotFound } from "./threads.ts";
import { assembleKwargs } from "./run-kwargs.ts";
import type { Acceptance } from "./run-acceptance.ts";
import type { RunDeps } from "./run-deps.ts";

export interface Accepted {
  run: Run;
  room: Room;
  request: RunCreate;
}

export const NO_ROOM_MADE: Room = {
  isTurnTaken: false,
  ended: [],
  stopping: [],
};

/** A thread that is locked, and the runs on it that have not ended. */
interface OpenThread {
  thread: ThreadHandle;
  unfinished: UnfinishedRun[];
}

/** The run itself: `acceptAtOnce` has accepted it, and its answer was lost. */
interface Before {
  before: Run;
}

/** Accepts a run in a transaction that may have more to do. */
export async function acceptIn(
  tx: Queryable,
  deps: RunDeps,
  params: Acceptance,
): Promise<Accepted> {
  const { run_id, thread_id, strategy, request } = params;
  const open = await openThread(tx, deps, params);
  if ("before" in open)
    return { run: open.before, room: NO_ROOM_MADE, request };
  const { thread, unfinished } = open;
  await requireCheckpoint(tx, thread_id, request);
  const room = await makeRoom(tx, { thread_id, unfinished, run_id, strategy });
  const run = await enqueue(tx, deps, { ...params, thread, room });
  return { run, room, request };
}

async function enqueue(
  tx: Queryable,
  deps: RunDeps,
  params: Acceptance & { thread: ThreadHandle; room: Room },
): Promise<Run> {
  const { assistant, thread, room, thread_id } = params;
  const { graph_id, assistant_id } = assistant;
  const run = newRun(deps, params, room);
  const marked = markThreadBusy(tx, {
    ...{ thread_id, graph_id, assistant_id },
    hasTurn: run.q === "ready",
  });
  const inserted = insertRun(tx, {
    ...run,
    thread_id,
    seq: null, // that which the thread gives out now
    metadata: {
      ...assistant.metadata,
      ...thread.metadata,
      ...ownMetadata(params),
    },
  });
  const [accepted] = await Promise.all([inserted, marked]);
  return accepted;
}

function newRun(
  deps: RunDeps,
  params: Acceptance,
  { isTurnTaken }: Room,
): AtOnce["run"] {
  const { request, assistant, run_id } = params;
  const { graph_id, assistant_id } = assistant;
  const afterMs = request.after_seconds * 1000;
  return {
    ...{ run_id, graph_id, assistant_id, afterMs },
    q: afterMs > 0 ? "delayed" : isTurnTaken ? "behind" : "ready",
    multitask_strategy: params.strategy,
    max_attempts: deps.maxAttempts,
    keeps_events: params.isStreamed || request.stream_resumable,
    webhook: deps.webhooks.isEnabled ? (request.webhook ?? null) : null,
    kwargs: assembleKwargs(params),
  };
}

/** Laid over that of the thread, which may have been another graph's until now. */
const ownMetadata = ({ assistant, request }: Acceptance): JsonObject => ({
  graph_id: assistant.graph_id,
  assistant_id: assistant.assistant_id,
  ...request.metadata,
});

/** For a thread on which nothing goes on. */
export const atOnce = (deps: RunDeps, params: Acceptance): AtOnce => ({
  assistant: params.assistant,
  thread: newThread(deps, params),
  origin: params.origin,
  access: params.access,
  run: newRun(deps, params, NO_ROOM_MADE),
  metadata: ownMetadata(params),
});

async function openThread(
  tx: Queryable,
  deps: RunDeps,
  params: Acceptance,
): Promise<OpenThread | Before> {
  const { run_id, thread_id, origin } = params;
  if (origin === "new") {
    const thread = await makeThread(tx, deps, params);
    if (thread !== null) return { thread, unfinished: [] };
    const before = await getRun(tx, { run_id }, UNRESTRICTED);
    if (before !== null) return { before };
    throw conflict("Thread already exists");
  }
  const there = await lockedThread(tx, params);
  if (there !== null) return there;
  if (origin === "either") {
    const thread = await makeThread(tx, deps, params);
    if (thread !== null) return { thread, unfinished: [] };
    // Somebody has just made it, or it is hidden from the caller: never run on that one.
    const now = await lockedThread(tx, params);
    if (now !== null) return now;
  }
  throw threadNotFound(thread_id);
}

async function lockedThread(
  tx: Queryable,
  { run_id, thread_id, access }: Acceptance,
): Promise<OpenThread | Before | null> {
  // What is sent behind the lock sees what it protects.
  const [thread, unfinished, before] = await Promise.all([
    lockThread(tx, thread_id, access),
    listUnfinishedRuns(tx, thread_id),
    getRun(tx, { run_id }, UNRESTRICTED),
  ]);
  if (before !== null) return { before };
  return thread && { thread, unfinished };
}

/** Null when there is one with that id. */
async function makeThread(
  tx: Queryable,
  deps: RunDeps,
  params: Acceptance,
): Promise<ThreadHandle | null> {
  const { temporary } = params;
  const inserted = await insertThread(tx, newThread(deps, params));
  if (inserted === null) return null;
  return { ...inserted, temporary, run_seq: 0, values_paged: false };
}

/** Its metadata names the graph, and takes the run's: there is none to protect yet. */
const newThread = (
  { defaultTtl: ttl }: RunDeps,
  { thread_id, temporary, request, assistant }: Acceptance,
): NewThread => {
  const { graph_id, assistant_id } = assistant;
  const metadata = { ...request.metadata, graph_id, assistant_id };
  return { thread_id, temporary, ttl, metadata };
};

/** LangGraph would start an empty state from a checkpoint that is not there. */
async function requireCheckpoint(
  tx: Queryable,
  thread_id: string,
  request: RunCreate,
): Promise<void> {
  const at = startOf(request);
  if (at !== null && (await readHead(tx, { thread_id, ...at })) === null)
    throw checkpointNotFound(thread_id, at.checkpoint_id);
}

/** Where the run is to start; null for the newest state. */
export function startOf({
  checkpoint,
  checkpoint_id: short,
}: RunCreate): { checkpoint_ns: string; checkpoint_id: string } | null {
  const checkpoint_id = checkpoint?.checkpoint_id ?? short;
  if (checkpoint_id === undefined) return null;
  return { checkpoint_id, checkpoint_ns: checkpoint?.checkpoint_ns ?? "" };
}
