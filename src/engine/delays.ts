import type { Logger } from "../lib/logger.ts";
import type { Database } from "../storage/database.ts";
import { nextDueAt } from "../storage/run-queue.ts";
import { promoteDueRuns } from "./recovery.ts";

/** Whoever is due later is found by the poll meanwhile. */
const MAX_DELAY_MS = 60_000;

export interface DelaysDeps {
  database: Database;
  log: Logger;
  /** Runs may have become due that have their turn already. */
  onDue: () => void;
}

/** Lines up delayed runs at the moment that they are due: a timer is set for the next of them. */
export class Delays implements Disposable {
  readonly #deps: DelaysDeps;
  #timer: NodeJS.Timeout | null = null;
  #isDisposed = false;

  constructor(deps: DelaysDeps) {
    this.#deps = deps;
  }

  /** Never rejects. */
  async look(): Promise<void> {
    const { database, log } = this.#deps;
    try {
      await promoteDueRuns(database);
      this.#wakeAt(await nextDueAt(database));
    } catch (cause) {
      log.error({ err: cause }, "delayed runs could not be looked for");
    }
  }

  [Symbol.dispose](): void {
    this.#isDisposed = true;
    this.#clear();
  }

  #wakeAt(due: Date | null): void {
    this.#clear();
    if (due === null || this.#isDisposed) return;
    const delay = Math.max(1, due.getTime() - Date.now());
    this.#timer = setTimeout(
      () => {
        this.#deps.onDue();
        void this.look();
      },
      Math.min(delay, MAX_DELAY_MS),
    );
  }

  #clear(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
  }
}
