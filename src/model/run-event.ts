/** One frame of a run's stream. */
export interface RunEvent {
  /** Grows per thread, over all runs and attempts. Decimal text of it is the SSE id. */
  seq: number;
  run_id: string;
  attempt: number;
  /** `values`, `updates|agent:1ef…`, `metadata`, `error`, `end` … without CR or LF. */
  event: string;
  /** JSON on one line, ready for the wire. */
  data: string;
}

/** Mode of an event: `messages/partial|ns` -> `messages`. */
export const modeOf = (event: string): string =>
  event.split("|", 1)[0]?.split("/", 1)[0] ?? event;
