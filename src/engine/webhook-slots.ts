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

  get isFull(): boolean {
    return this.#all >= MAX_ALL;
  }

  /** Hosts that have no place left. */
  fullHosts(): string[] {
    return [...this.#taken.keys()].filter((host) => this.#room(host) <= 0);
  }

  /** Those, in their order, for which there is a place. Takes none. */
  choose<Due extends { host: string }>(due: readonly Due[]): Due[] {
    const left = new Map<string, number>();
    let all = MAX_ALL - this.#all;
    return due.filter(({ host }) => {
      const room = left.get(host) ?? this.#room(host);
      if (room <= 0 || all <= 0) return false;
      left.set(host, room - 1);
      all -= 1;
      return true;
    });
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

  #room(host: string): number {
    const places = this.#failing.has(host) ? 1 : MAX_PER_HOST;
    return places - (this.#taken.get(host) ?? 0);
  }
}
