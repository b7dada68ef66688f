/** How long what nobody watches may wait for more to go with it. */
const HOLD_MS = 50;

/**
 * When what a run has produced leaves its worker. What is watched leaves at
 * the end of the turn of the event loop that made it. Else it waits a little:
 * each message costs two processes a wake-up and a transaction, and the end of
 * a short run takes along what is left.
 */
export type Pace = "watched" | "unwatched";

/** Calls `leave` when it is time. Returns the function that calls it off. */
export function departure(pace: Pace, leave: () => void): () => void {
  if (pace === "watched") {
    const immediate = setImmediate(leave);
    return () => clearImmediate(immediate);
  }
  const timer = setTimeout(leave, HOLD_MS);
  return () => clearTimeout(timer);
}
