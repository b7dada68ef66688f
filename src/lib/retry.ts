import { setTimeout as sleep } from "node:timers/promises";
import { backoffMs } from "./backoff.ts";

/** Tries `fn` again when it throws, more and more slowly; throws what the last attempt threw. */
export async function retry<T>(
  fn: () => Promise<T>,
  params: { attempts: number; firstMs: number; maxMs: number },
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await fn();
    } catch (cause) {
      if (attempt >= params.attempts) throw cause;
      await sleep(backoffMs(attempt, params));
    }
  }
}
