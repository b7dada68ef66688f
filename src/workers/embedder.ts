import type { JsonObject } from "../lib/json.ts";
import {
  embeddedPaths,
  indexName,
  type ItemIndex,
  type StoreIndex,
} from "../model/store-index.ts";
import { textsAt } from "../model/text-paths.ts";
import type { EmbeddingRequests } from "../protocol/embedding-frames.ts";
import type { ItemVectors } from "../storage/store-vectors.ts";
import type { Workers } from "./port.ts";

type Purpose = EmbeddingRequests["store.embed"]["params"]["purpose"];

/** Texts in one question: what the services that make vectors take at once. */
const MAX_TEXTS = 256;

interface Call {
  text: string;
  resolve(vector: Uint8Array): void;
  reject(cause: unknown): void;
}

/**
 * Makes the vectors of store items, by the project's own function: a worker
 * calls it. What is wanted in one turn of the event loop goes as one question.
 * Rejects with `unavailable` and what is wrong, when there is no vector to be had.
 */
export class Embedder {
  /** Names what the vectors are made by. */
  readonly indexName: string;
  readonly #workers: Pick<Workers, "ask">;
  readonly #index: StoreIndex;
  readonly #calls: Record<Purpose, Call[]> = { item: [], query: [] };

  constructor(workers: Pick<Workers, "ask">, index: StoreIndex) {
    this.indexName = indexName(index);
    this.#workers = workers;
    this.#index = index;
  }

  /** Rejects when the function cannot be loaded. Calls it for nothing. */
  async check(): Promise<void> {
    await this.#workers.ask("store.embed", { texts: [], purpose: "item" });
  }

  async ofItem(value: JsonObject, index: ItemIndex): Promise<ItemVectors> {
    const texts = textsAt(value, embeddedPaths(index, this.#index));
    const vectors = await Promise.all(
      texts.map((text) => this.#embed(text, "item")),
    );
    return {
      index_name: this.indexName,
      vectors: vectors.filter(hasDirection),
    };
  }

  /** Null when it means nothing, so that nothing is like it. */
  async ofQuery(text: string): Promise<Uint8Array | null> {
    const vector = await this.#embed(text, "query");
    return hasDirection(vector) ? vector : null;
  }

  #embed(text: string, purpose: Purpose): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const calls = this.#calls[purpose];
      calls.push({ text, resolve, reject });
      if (calls.length === 1) setImmediate(() => this.#flush(purpose));
    });
  }

  #flush(purpose: Purpose): void {
    const calls = this.#calls[purpose];
    this.#calls[purpose] = [];
    for (let start = 0; start < calls.length; start += MAX_TEXTS)
      void this.#ask(calls.slice(start, start + MAX_TEXTS), purpose);
  }

  /** One text that cannot be embedded costs the others nothing: after a failure each is asked for alone. */
  async #ask(calls: readonly Call[], purpose: Purpose): Promise<void> {
    try {
      const texts = calls.map(({ text }) => text);
      const vectors = await this.#workers.ask("store.embed", {
        texts,
        purpose,
      });
      calls.forEach(({ resolve }, at) =>
        resolve(vectors[at] ?? new Uint8Array()),
      );
    } catch (cause) {
      if (calls.length === 1) calls[0]?.reject(cause);
      else for (const call of calls) void this.#ask([call], purpose);
    }
  }
}

/** A vector of zeros is like nothing. */
const hasDirection = (vector: Uint8Array): boolean =>
  vector.some((byte) => byte !== 0);
