import type { StoredValue } from "../protocol/checkpoint-frames.ts";

/** About 10 MB of hashes. Whoever forgets one sends its value again, which does no harm. */
const MAX_HASHES = 100_000;

/** Values kept so that they need not be read again. Their hashes go with every read, hence the number. */
const MAX_KEPT_BYTES = 8 * 1024 * 1024;
const MAX_KEPT_VALUES = 4096;

/** What the server has stored of one thread, as far as one saver knows. */
export class KnownValues {
  /** In the order in which they were last seen, as `#kept` is. */
  readonly #hashes = new Set<string>();
  readonly #kept = new Map<string, StoredValue>();
  #keptBytes = 0;

  isStored(hash: string): boolean {
    return this.#hashes.has(hash);
  }

  /** Of values that the server sent, or that are on their way to it before whatever comes next. */
  remember(values: Iterable<StoredValue>): void {
    for (const value of values) {
      this.#hashes.delete(value.hash);
      this.#hashes.add(value.hash);
      if (value.type !== "page") this.#keep(value);
    }
    for (const hash of this.#hashes) {
      if (this.#hashes.size <= MAX_HASHES) break;
      this.#hashes.delete(hash);
    }
  }

  /** Values that need not come with an answer. Pages always do: they are small, and say what else is needed. */
  get kept(): ReadonlyMap<string, StoredValue> {
    return this.#kept;
  }

  /** After the server has said that it misses one of them. */
  forget(): void {
    this.#hashes.clear();
    this.#kept.clear();
    this.#keptBytes = 0;
  }

  #keep(value: StoredValue): void {
    const known = this.#kept.get(value.hash);
    this.#kept.delete(value.hash);
    if (known === undefined) this.#keptBytes += value.data.length;
    // A copy: the bytes may be part of a frame, which would else stay in memory with them.
    this.#kept.set(
      value.hash,
      known ?? { ...value, data: new Uint8Array(value.data) },
    );
    for (const [hash, { data }] of this.#kept) {
      const fits =
        this.#keptBytes <= MAX_KEPT_BYTES && this.#kept.size <= MAX_KEPT_VALUES;
      if (fits) break;
      this.#kept.delete(hash);
      this.#keptBytes -= data.length;
    }
  }
}
