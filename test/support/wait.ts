import { setTimeout as delay } from "node:timers/promises";

export interface WaitOptions {
  timeoutMs?: number;
  everyMs?: number;
  /** Makes further waiting pointless; its reason is thrown. */
  signal?: AbortSignal;
}

/**
 * Asks until the condition holds, and gives what it returned. An error of the
 * condition counts as "not yet"; the last one is named when the time is up.
 */
export async function waitFor<T>(
  what: string,
  condition: () => T | Promise<T>,
  { timeoutMs = 15_000, everyMs = 25, signal }: WaitOptions = {},
): Promise<NonNullable<T>> {
  const end = Date.now() + timeoutMs;
  let cause: unknown;
  for (;;) {
    try {
      const result = await condition();
      if (result) return result;
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    signal?.throwIfAborted();
    if (Date.now() > end)
      throw new Error(`waited ${timeoutMs} ms in vain: ${what}`, { cause });
    await delay(everyMs);
  }
}
