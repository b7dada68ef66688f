import { rmSync } from "node:fs";
import type { SqliteConnection, SqliteDriver } from "./sqlite-driver.ts";
import { loadVectorExtension } from "./sqlite-vectors.ts";

export interface StoredVector {
  id: number;
  vector: Uint8Array;
}

/** What vec0 answers at most. */
export const MAX_NEAREST = 4096;

/**
 * The vectors of one index once more, packed, in a file that is thrown away
 * with the process: sqlite-vec goes over 100,000 of 384 numbers in 30 ms here,
 * and over the rows of our table in 70. What is no row any more stays in it.
 */
export class VectorCopy implements Disposable {
  /** The newest that is in it. */
  lastId = 0;
  readonly #path: string;
  readonly #file: SqliteConnection;

  constructor(
    driver: SqliteDriver,
    { path, dims }: { path: string; dims: number },
  ) {
    this.#path = path;
    rmSync(path, { force: true });
    this.#file = driver.open(path, { readOnly: false, allowExtension: true });
    loadVectorExtension(this.#file);
    this.#file.exec(
      `pragma journal_mode = off; pragma synchronous = off; pragma mmap_size = 8589934592;
       create virtual table copies using vec0(vector float[${dims}] distance_metric=cosine)`,
    );
  }

  /** In the order of their ids. */
  add(vectors: readonly StoredVector[]): void {
    const insert = this.#file.prepare(
      "insert into copies (rowid, vector) values (?, ?)",
    );
    this.#file.exec("begin");
    // vec0 takes no double for a rowid, which is what a number becomes.
    for (const { id, vector } of vectors) insert.all(BigInt(id), vector);
    this.#file.exec("commit");
    this.lastId = vectors.at(-1)?.id ?? this.lastId;
  }

  nearest(vector: Uint8Array, limit: number): [id: number, likeness: number][] {
    return this.#file
      .prepare(
        "select rowid as id, 1 - distance as likeness from copies where vector match ? and k = ?",
      )
      .all(vector, limit)
      .map(({ id, likeness }) => [Number(id), Number(likeness)]);
  }

  [Symbol.dispose](): void {
    this.#file.close();
    rmSync(this.#path, { force: true });
  }
}
