import { setTimeout as sleep } from "node:timers/promises";
import { AppError, unavailable } from "../model/errors.ts";
import type { Json } from "../lib/json.ts";

/** A server whose data is read over its API: an official one, or a Spool. */
export class ForeignServer {
  readonly #url: string;
  readonly #headers: Record<string, string>;

  constructor(url: string, headers: Record<string, string> = {}) {
    this.#url = url.replace(/\/+$/, "");
    this.#headers = headers;
  }

  /** Throws when the server refuses, or cannot be reached after a few tries. */
  async post<T>(path: string, body: Json): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return (await this.#post(path, body)) as T;
      } catch (cause) {
        if (cause instanceof AppError || attempt === TRIES)
          throw this.#told(cause);
        await sleep(RETRY_MS * attempt);
      }
    }
  }

  /** Null when the server has no such part: a path that it does not know, or does not implement. */
  async postIfThere<T>(path: string, body: Json): Promise<T | null> {
    try {
      return await this.post<T>(path, body);
    } catch (cause) {
      const status =
        cause instanceof AppError ? cause.details?.["status"] : null;
      if (status === 404 || status === 500 || status === 501) return null;
      throw cause;
    }
  }

  /** Every row of a search, in pages; `rowsIn` finds them in an answer. */
  async *search<T>(
    path: string,
    body: { [key: string]: Json },
    rowsIn: (answer: unknown) => T[] = (answer) => answer as T[],
  ): AsyncGenerator<T> {
    for (let offset = 0; ; offset += PAGE) {
      const rows = rowsIn(
        await this.post(path, { ...body, limit: PAGE, offset }),
      );
      yield* rows;
      if (rows.length < PAGE) return;
    }
  }

  async #post(path: string, body: Json): Promise<unknown> {
    const response = await fetch(this.#url + path, {
      method: "POST",
      headers: { "content-type": "application/json", ...this.#headers },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    if (response.ok) return response.json();
    const text = (await response.text()).slice(0, 500);
    throw new AppError(
      "unavailable",
      `POST ${this.#url}${path} was answered with ${response.status}: ${text}`,
      { details: { status: response.status } },
    );
  }

  #told(cause: unknown): unknown {
    if (cause instanceof AppError) return cause;
    const { message, cause: deeper } = cause as Error & { cause?: Error };
    return unavailable(
      `${this.#url} cannot be reached: ${deeper?.message || message}`,
      { cause },
    );
  }
}

/** Rows of one answer; a thread comes with its values. */
const PAGE = 50;
const TRIES = 3;
const RETRY_MS = 500;
const TIMEOUT_MS = 120_000;
