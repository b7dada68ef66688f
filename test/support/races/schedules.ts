import type { Choose } from "./conductor.ts";

/**
 * All orders in which no part is left more than so many times while it could
 * go on, one after the other: each run of a schedule tells what there was to
 * choose from, and the next takes another way at the last place that has one.
 */
export class Schedules {
  readonly #maxLeft: number;
  /** The ways to choose at each place, in the order in which they are tried; the first is the one of this schedule. */
  #places: number[][] = [];

  constructor({ maxLeft }: { maxLeft: number }) {
    this.#maxLeft = maxLeft;
  }

  /** For one schedule, from its beginning. */
  next(): Choose {
    let at = 0;
    let left = 0;
    return (ready, last) => {
      const place = (this.#places[at] ??= this.#ways(ready, last, left));
      at += 1;
      // Two that wait for one lock may get it in another order than last time.
      const chosen = ready.find((index) => index === place[0]) ?? ready[0]!;
      if (last !== null && chosen !== last) left += 1;
      return chosen;
    };
  }

  /** False when there is no other schedule. */
  advance(): boolean {
    while (this.#places.length > 0) {
      const place = this.#places.at(-1)!;
      place.shift();
      if (place.length > 0) return true;
      this.#places.pop();
    }
    return false;
  }

  #ways(ready: readonly number[], last: number | null, left: number): number[] {
    if (last === null) return [...ready];
    const others = ready.filter((index) => index !== last);
    return left < this.#maxLeft ? [last, ...others] : [last];
  }
}
