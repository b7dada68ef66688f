import type { ClaimedRun } from "../storage/run-queue.ts";

/**
 * How far each further attempt of a run jumps ahead. Readers may have seen
 * events of the attempts before it that never reached the table, so their
 * numbers must not be used again; a batch on its way holds far fewer.
 */
const ATTEMPT_GAP = 100_000;

/**
 * The number of an attempt's first event. An attempt that died before it had
 * stored anything has left no trace in `last_event_seq`, so the jump grows with
 * the attempts: it goes past the numbers of all of them.
 */
export const firstSeqOf = ({
  attempt,
  last_event_seq,
}: Pick<ClaimedRun, "attempt" | "last_event_seq">): number =>
  last_event_seq + 1 + (attempt - 1) * ATTEMPT_GAP;
