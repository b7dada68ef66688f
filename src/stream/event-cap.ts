/*
 * What the table may hold of one run: without a bound a run that streams for
 * hours fills the disk. The oldest events go first, in whole segments; who comes
 * back for them is given the state instead (services/run-stream.ts).
 */

/** Counted in numbers of the thread, which an attempt gives out one by one. */
export const MAX_RUN_EVENTS = 10_000;
export const MAX_RUN_BYTES = 16 * 1024 * 1024;

/** Counts what one attempt has stored. Earlier attempts of the run have lower numbers, and so go before it. */
export class EventCap {
  #segments: { lastSeq: number; bytes: number }[] = [];
  #bytes = 0;
  #droppedTo = 0;

  /** A segment is about to be stored. Gives the number up to which older ones have to go; null when there is room. */
  add(lastSeq: number, bytes: number): number | null {
    this.#segments.push({ lastSeq, bytes });
    this.#bytes += bytes;
    const tooOld = lastSeq - MAX_RUN_EVENTS;
    let upTo = this.#droppedTo;
    // The newest stays, whatever its size.
    while (this.#segments.length > 1) {
      const oldest = this.#segments[0];
      if (oldest === undefined) break;
      if (oldest.lastSeq > tooOld && this.#bytes <= MAX_RUN_BYTES) break;
      this.#segments.shift();
      this.#bytes -= oldest.bytes;
      upTo = oldest.lastSeq;
    }
    if (upTo === this.#droppedTo) return null;
    this.#droppedTo = upTo;
    return upTo;
  }
}
