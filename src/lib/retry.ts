import { setTimeout as sleep } from "node:timers/promises";
import { backoffMs } from "./backoff.ts";

export interface RetryParams {
  firstMs: number;
  maxMs: number;
  /** When it fires there is one more try, at once; its failure is thrown. */
  signal: AbortSignal;
  onFailure: (cause: unknown) => void;
}

/** Tries `fn` until it succeeds, more and more slowly. */
export async function retry<T>(
  fn: () => Promise<T>,
  params: RetryParams,
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await fn();
    } catch (cause) {
      if (params.signal.aborted) throw cause;
      params.onFailure(cause);
      await sleep(backoffMs(attempt, params), undefined, {
        signal: params.signal,
      }).catch(() => {}); // the signal: try for the last time
    }
  }
}
