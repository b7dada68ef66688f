/** How long what nobody watches may wait for more to go with it. */
const HOLD_MS = 50;

/** How far departures of what is watched are apart: nobody sees events come one by one that come faster. */
const APART_MS = 5;

/**
 * When what a run has produced leaves its worker. What is watched leaves at
 * the end of the turn of the event loop that made it, unless something has left
 * just before. Else it waits a little: each message costs two processes a
 * wake-up and a transaction, and the end of a short run takes along what is left.
 */
export type Pace = "watched" | "unwatched";

/** Calls `leave` when it is time. Returns the function that calls it off. `leftAt`: when something left last, by `performance.now`. */
export function departure(
  pace: Pace,
  leave: () => void,
  leftAt = -Infinity,
): () => void {
  const sinceMs = performance.now() - leftAt;
  if (pace === "watched" && sinceMs >= APART_MS) {
    const immediate = setImmediate(leave);
    return () => clearImmediate(immediate);
  }
  const waitMs = pace === "watched" ? APART_MS - sinceMs : HOLD_MS;
  const timer = setTimeout(leave, waitMs);
  return () => clearTimeout(timer);
}
