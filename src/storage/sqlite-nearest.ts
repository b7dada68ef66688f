import type { SqliteDriver } from "./sqlite-driver.ts";
import {
  MAX_NEAREST,
  VectorCopy,
  type StoredVector,
} from "./sqlite-vector-copy.ts";

/** A parameter for which the thread that reads puts in the nearest vectors: JSON, `[[id, likeness], …]`. */
export class NearestParameter {
  readonly nearest: NearestVectors;
  constructor(nearest: NearestVectors) {
    this.nearest = nearest;
  }
}

export interface NearestVectors {
  index_name: string;
  vector: Uint8Array;
  limit: number;
  /** Answers it from the table, row by row. */
  scan: Statement;
  /** Counts the rows that this is about, up to `MANY`. */
  count: Statement;
}

interface Statement {
  text: string;
  values: readonly unknown[];
}

/** Up to so many rows are compared where they are. */
export const MANY = 5000;

/** Copied at once, in between questions: less than 100 ms. */
const BATCH = 5000;

interface Reader {
  run(text: string, values: readonly unknown[]): Record<string, unknown>[];
}

/** Finds the nearest vectors: row by row, or where there are many in a packed copy, which it keeps up to date. */
export class NearestFinder implements Disposable {
  readonly #reader: Reader;
  readonly #file: { driver: SqliteDriver; path: string };
  #copy: { of: string; vectors: VectorCopy } | null = null;
  #isCopying = false;
  #isFull = false;

  constructor(reader: Reader, file: { driver: SqliteDriver; path: string }) {
    this.#reader = reader;
    this.#file = file;
  }

  find(wanted: NearestVectors): [id: number, likeness: number][] {
    const copy =
      wanted.limit > MAX_NEAREST || this.#isFull
        ? null
        : this.#unlessFull(() => this.#copyFor(wanted));
    if (copy === null)
      return this.#read(wanted.scan).map(({ id, likeness }) => [
        Number(id),
        Number(likeness),
      ]);
    const found = copy.nearest(wanted.vector, wanted.limit);
    if (this.#countRows(found) < found.length / 2) this[Symbol.dispose]();
    return found;
  }

  [Symbol.dispose](): void {
    this.#copy?.vectors[Symbol.dispose]();
    this.#copy = null;
  }

  /** Null when there is none that has everything, or none is needed. */
  #copyFor(wanted: NearestVectors): VectorCopy | null {
    const [row] = this.#read(wanted.count);
    if (Number(row?.["count"]) < MANY) return null;
    const { index_name, vector } = wanted;
    if (this.#copy?.of !== index_name) {
      this[Symbol.dispose]();
      const { driver, path } = this.#file;
      const dims = vector.byteLength / 4;
      const vectors = new VectorCopy(driver, { path, dims });
      this.#copy = { of: index_name, vectors };
    }
    if (this.#isCopying || !this.#catchUp()) return null;
    return this.#copy.vectors;
  }

  /** Whether it has everything now. What is missing is copied while others are answered. */
  #catchUp(): boolean {
    if (this.#copy === null) return false;
    const { of, vectors } = this.#copy;
    const missing = this.#read({
      text: "select id, vector from store_vectors where id > ? and index_name = ? order by id limit ?",
      values: [vectors.lastId, of, BATCH],
    }) as unknown as StoredVector[];
    if (missing.length > 0) vectors.add(missing);
    this.#isCopying = missing.length === BATCH;
    if (this.#isCopying)
      setImmediate(() => void this.#unlessFull(() => this.#catchUp()));
    return !this.#isCopying;
  }

  /** On a full disk there is no copy, and the table answers. */
  #unlessFull<T>(copy: () => T): T | null {
    try {
      return copy();
    } catch {
      this[Symbol.dispose]();
      this.#isCopying = false;
      this.#isFull = true;
      return null;
    }
  }

  /** How many of them are still there: an item that was put again has new ones. */
  #countRows(found: readonly [id: number, likeness: number][]): number {
    const ids = JSON.stringify(found.map(([id]) => id));
    const [row] = this.#read({
      text: "select count(*) as count from store_vectors where id in (select value from json_each(?))",
      values: [ids],
    });
    return Number(row?.["count"]);
  }

  #read({ text, values }: Statement): Record<string, unknown>[] {
    return this.#reader.run(text, values);
  }
}
