import { UNRESTRICTED } from "../model/access.ts";
import type { RunError, RunStatus } from "../model/run.ts";
import {
  statusOf,
  type ThreadSnapshot,
  type ThreadStatus,
} from "../model/thread.ts";
import type { Queryable } from "../storage/database.ts";
import { insertSegment, type Segment } from "../storage/event-segments.ts";
import {
  finishRun,
  hasUnfinishedRun,
  promoteNext,
  type ClaimedRun,
} from "../storage/run-queue.ts";
import { lockThread, setThreadSnapshot } from "../storage/threads.ts";
import type { CheckpointWrite } from "../protocol/checkpoint-frames.ts";
import type { Produced } from "../stream/event-log.ts";
import { storeRunWrites } from "../workers/checkpoint-requests.ts";

/** How a run ended. */
export interface RunEnd {
  status: Exclude<RunStatus, "pending" | "running">;
  error: RunError | null;
  /** How it leaves the thread; null when nobody could tell, and then the thread keeps what it shows. */
  snapshot: ThreadSnapshot | null;
}

/** The last frames of the run's stream. */
export function closingEvents(runId: string, end: RunEnd): Produced[] {
  const events: Produced[] = [];
  if (end.error !== null) events.push(["error", JSON.stringify(end.error)]);
  events.push(["end", JSON.stringify({ run_id: runId, status: end.status })]);
  return events;
}

/**
 * Everything that the end of a run changes, for one transaction: the rest of
 * its stream and of its checkpoints, the run, whose turn is next, and the thread. Thread before run:
 * the lock order of the queue. `hasNext`: a run that waited behind has the turn now.
 */
export async function recordEnd(
  tx: Queryable,
  params: {
    run: ClaimedRun;
    end: RunEnd;
    segment: Segment | null;
    writes?: readonly CheckpointWrite[];
  },
): Promise<{ hasNext: boolean } | "lost"> {
  const { run, end, segment, writes = [] } = params;
  const { thread_id } = run;
  const thread = await lockThread(tx, thread_id, UNRESTRICTED);
  if (thread === null) return "lost";
  if (segment !== null) await insertSegment(tx, segment);
  if (writes.length > 0) await storeRunWrites(tx, run, writes);
  if ((await finishRun(tx, run, end)) === "lost") return "lost";
  const isBusy = await hasUnfinishedRun(tx, thread_id);
  const hasNext = isBusy && (await promoteNext(tx, thread_id));
  const status = isBusy ? "busy" : threadStatus(run, end);
  await setThreadSnapshot(tx, thread_id, {
    status,
    snapshot: end.snapshot,
    error: status === "error" ? end.error : null,
    wasPaged: thread.values_paged,
    ...(segment === null ? {} : { lastEventSeq: lastSeqOf(segment) }),
  });
  return { hasNext };
}

const lastSeqOf = ({ first_seq, events }: Segment): number =>
  first_seq + events.length - 1;

function threadStatus(run: ClaimedRun, end: RunEnd): ThreadStatus {
  if (end.error !== null && !isRefusedResume(run, end)) return "error";
  return end.snapshot === null ? "idle" : statusOf(end.snapshot);
}

/** An answer that nobody waits for fails its run, and leaves the thread as it was. */
const isRefusedResume = ({ kwargs }: ClaimedRun, { error }: RunEnd): boolean =>
  kwargs.strict_resume && error?.error === "UnknownInterruptError";
