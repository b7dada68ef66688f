/** About what an entry takes up beside its text. */
const ENTRY_SIZE = 256;

/** Remembers what came last, up to a total size; the very last whatever its size. */
export class Newest<T> {
  readonly #entries = new Map<string, { value: T; size: number }>();
  readonly #maxSize: number;
  #size = 0;

  constructor(maxSize: number) {
    this.#maxSize = maxSize;
  }

  get(key: string): T | null {
    return this.#entries.get(key)?.value ?? null;
  }

  set(key: string, value: T, length: number): void {
    const size = length + ENTRY_SIZE;
    this.#size += size - (this.#entries.get(key)?.size ?? 0);
    this.#entries.set(key, { value, size });
    for (const [oldest, entry] of this.#entries) {
      if (this.#size <= this.#maxSize || oldest === key) break;
      this.#entries.delete(oldest);
      this.#size -= entry.size;
    }
  }
}
