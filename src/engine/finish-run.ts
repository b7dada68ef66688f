import { UNRESTRICTED } from "../model/access.ts";
import type { RefusedResume, RunError, RunStatus } from "../model/run.ts";
import {
  statusOf,
  type ThreadSnapshot,
  type ThreadStatus,
} from "../model/thread.ts";
import { checkpointParts } from "../storage/checkpoint-parts.ts";
import { inputApplied, LeaseLostError } from "../storage/checkpoints.ts";
import type { Database, Part, Queryable } from "../storage/database.ts";
import type { Dialect } from "../storage/dialect.ts";
import {
  insertSegment,
  segmentInsert,
  type Segment,
} from "../storage/event-segments.ts";
import {
  deleteHeldRun,
  finishing,
  finishRun,
  hasFinished,
  hasUnfinishedRun,
  type ClaimedRun,
} from "../storage/run-queue.ts";
import { undoRun } from "../storage/run-undo.ts";
import {
  passTurn,
  raiseEventSeq,
  setThreadRest,
  takeBackTurn,
} from "../storage/thread-turn.ts";
import {
  lockThread,
  restingThread,
  setThreadSnapshot,
} from "../storage/threads.ts";
import { insertDelivery } from "../storage/webhook-deliveries.ts";
import type { CheckpointWrite } from "../protocol/checkpoint-frames.ts";
import { storeRunWrites } from "../workers/checkpoint-requests.ts";

/** How a run ended. */
export interface RunEnd {
  status: Exclude<RunStatus, "pending" | "running">;
  error: RunError | null;
  /** How it leaves the thread; null when nobody could tell, and then the thread keeps what it shows. */
  snapshot: ThreadSnapshot | null;
  /** Why its answers were refused, when that is why it failed. */
  refusal?: RefusedResume;
}

/** How the stream of a run ends that is rolled back, however its graph has ended. */
export const ROLLED_BACK: RunEnd = {
  status: "interrupted",
  error: null,
  snapshot: null,
};

export interface Recorded {
  /** The run was rolled back. */
  isGone: boolean;
  /** A run that waited behind has the turn now. */
  hasNext: boolean;
  /** Its end is to be told to a webhook. */
  hasWebhook: boolean;
}

export interface EndOfRun {
  run: ClaimedRun;
  end: RunEnd;
  segment: Segment | null;
  writes?: readonly CheckpointWrite[];
}

/**
 * Stores the end of a run, with the rest of its stream and of its checkpoints.
 * Most leave their thread at rest: that is a single write. Where it is not so,
 * `recordEnd` tells. Throws MissingValuesError.
 */
export async function storeEnd(
  database: Database,
  ended: EndOfRun,
): Promise<Recorded | "lost"> {
  const parts = restingParts(database.dialect, ended);
  if (parts !== null && (await database.writeAtOnce(parts)) === null)
    return { isGone: false, hasNext: false, hasWebhook: false };
  const recorded = await database
    .transaction((tx) => recordEnd(tx, ended))
    .catch(unlessLost);
  if (recorded !== "lost" || parts === null) return recorded;
  // The answer to the write may have been lost, with the connection.
  return (await hasFinished(database, ended.run))
    ? { isGone: false, hasNext: false, hasWebhook: false }
    : "lost";
}

/** Whoever has the run now records it. */
export function unlessLost(cause: unknown): "lost" {
  if (cause instanceof LeaseLostError) return "lost";
  throw cause;
}

/** The end of the last run of a thread, as parts of one write; null when it needs more looks than one. Thread before run, as below. */
function restingParts(
  dialect: Dialect,
  { run, end, segment, writes = [] }: EndOfRun,
): Part[] | null {
  // Another run was accepted by the time of the claim, or has had this one stopped.
  const hasOthers =
    run.thread_run_seq !== run.seq || end.status === "interrupted";
  if (hasOthers || run.webhook !== null) return null;
  const status = threadStatus(run, end);
  const thread = restingThread(dialect, run, {
    status,
    snapshot: end.snapshot,
    error: status === "error" ? end.error : null,
    ...(segment === null ? {} : { lastEventSeq: lastSeqOf(segment) }),
  });
  const checkpoints = checkpointParts(dialect, run.run_id, writes);
  if (thread === null || checkpoints === null) return null;
  const also = inputApplied(writes);
  const finished = finishing(dialect, run, { ...end, also });
  return [
    { statement: thread, needs: 1 },
    { statement: finished, needs: 1 },
    ...checkpoints,
    ...(segment === null
      ? []
      : [{ statement: segmentInsert(dialect, segment) }]),
  ];
}

/**
 * Everything that the end of a run changes, for one transaction: the rest of
 * its stream and of its checkpoints, the run, whose turn is next, and the
 * thread. Thread before run: the lock order of the queue. When somebody has
 * wanted the run rolled back, that is its end, whatever `end` says.
 */
export async function recordEnd(
  tx: Queryable,
  { run, end, segment, writes = [] }: EndOfRun,
): Promise<Recorded | "lost"> {
  const { thread_id } = run;
  const locked = lockThread(tx, thread_id, UNRESTRICTED);
  const all = Promise.all([
    segment === null ? null : insertSegment(tx, segment),
    writes.length === 0 ? null : storeRunWrites(tx, run, writes),
    finishRun(tx, run, end),
    hasUnfinishedRun(tx, thread_id),
  ]);
  all.catch(() => {}); // it fails as well when the thread is gone, and that is no failure
  const thread = await locked;
  if (thread === null) throw new LeaseLostError(run);
  const [, , finished, isBusy] = await all;
  if (finished === "lost") return rollBack(tx, run, segment);
  const status = threadStatus(run, end);
  const error = status === "error" ? end.error : null;
  const hasNext = isBusy && (await passTurn(tx, thread_id));
  if (isBusy) await setThreadRest(tx, { ...run, status, error });
  await setThreadSnapshot(tx, thread_id, {
    status: isBusy ? "busy" : status,
    snapshot: end.snapshot,
    error: isBusy ? null : error,
    wasPaged: thread.values_paged,
    ...(segment === null ? {} : { lastEventSeq: lastSeqOf(segment) }),
  });
  const hasWebhook = await recordWebhook(tx, run, end);
  return { isGone: false, hasNext, hasWebhook };
}

async function recordWebhook(
  tx: Queryable,
  { run_id, webhook }: ClaimedRun,
  { snapshot, error }: RunEnd,
): Promise<boolean> {
  if (webhook === null) return false;
  const values = snapshot?.values ?? null;
  await insertDelivery(tx, { run_id, webhook, values, error });
  return true;
}

const lastSeqOf = ({ first_seq, events }: Segment): number =>
  first_seq + events.length - 1;

/** What the run has done up to here never was. Until now only the intention was stored, which no crash can lose. */
async function rollBack(
  tx: Queryable,
  run: ClaimedRun,
  segment: Segment | null,
): Promise<Recorded | "lost"> {
  const { thread_id, run_id } = run;
  if ((await deleteHeldRun(tx, run)) === "lost") return "lost";
  await undoRun(tx, thread_id, run_id);
  if (segment !== null)
    await raiseEventSeq(tx, { thread_id, seq: lastSeqOf(segment) });
  const hasNext = await takeBackTurn(tx, thread_id);
  return { isGone: true, hasNext, hasWebhook: false };
}

function threadStatus(
  run: ClaimedRun,
  end: RunEnd,
): Exclude<ThreadStatus, "busy"> {
  if (end.error !== null && !isRefusedResume(run, end)) return "error";
  return end.snapshot === null ? "idle" : statusOf(end.snapshot);
}

/** An answer that nobody waits for fails its run, and leaves the thread as it was. */
const isRefusedResume = ({ kwargs }: ClaimedRun, { error }: RunEnd): boolean =>
  kwargs.strict_resume && error?.error === "UnknownInterruptError";
