/** Attempts at once. */
const MAX_ALL = 128;
const MAX_PER_HOST = 8;

/** Receivers that fail; memory is bounded whatever clients make up. */
const MAX_REMEMBERED = 10_000;

/**
 * How many webhooks may be sent at once, and to whom. A receiver that is slow
 * or gone has one place, however many wait for it, until it answers again.
 */
export class HostSlots {
  readonly #taken = new Map<string, number>();
  readonly #failing = new Set<string>();
  #all = 0;

  /** How many more may be sent now, to whomever. */
  get left(): number {
    return MAX_ALL - this.#all;
  }

  /** How many of them to the host. */
  room(host: string): number {
    const places = this.#failing.has(host) ? 1 : MAX_PER_HOST;
    const left = places - (this.#taken.get(host) ?? 0);
    return Math.max(0, Math.min(left, this.left));
  }

  take(host: string): void {
    this.#all += 1;
    this.#taken.set(host, (this.#taken.get(host) ?? 0) + 1);
  }

  free(host: string): void {
    this.#all -= 1;
    const left = (this.#taken.get(host) ?? 0) - 1;
    if (left > 0) this.#taken.set(host, left);
    else this.#taken.delete(host);
  }

  /** How the last attempt went. */
  rate(host: string, isFine: boolean): void {
    if (isFine) this.#failing.delete(host);
    else {
      if (this.#failing.size === MAX_REMEMBERED) this.#failing.clear();
      this.#failing.add(host);
    }
  }
}
