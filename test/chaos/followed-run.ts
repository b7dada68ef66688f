import type { WireFrame } from "../support/sse-frames.ts";

/** What one client has seen of a run's stream, over all of its connections. */
export interface Reader {
  frames: WireFrame[];
  /** Connections that began with a cursor of the reader's own. */
  resumed: number;
}

/** A run that the server has acknowledged. */
export interface FollowedRun {
  run_id: string;
  thread_id: string;
  op: string;
  /** Somebody wanted it stopped; whether it was in time is for its status to say. */
  mayBeStopped: boolean;
  readers: Reader[];
}

/** What the runs of one input add to the log of their thread. */
export interface Job {
  op: string;
  thread_id: string;
  /** All of it, in order. */
  entries: string[];
  /** Its last run, which ended with success and has nothing more to ask, has done the rest. */
  isDone: boolean;
}
