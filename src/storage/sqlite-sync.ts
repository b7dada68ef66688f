import { closeSync, fdatasync, openSync } from "node:fs";
import { deferred, type Deferred } from "../lib/deferred.ts";
import { unavailable } from "../model/errors.ts";

/** What nobody waits for is on the disk this much later. */
const IDLE_SYNC_MS = 50;

/**
 * Brings the write-ahead log to the disk in a thread of libuv, where SQLite
 * would do it in ours: an fsync takes milliseconds, and in them the event loop
 * can answer hundreds of requests. One sync serves all who came before it; the
 * next starts when it is done.
 */
export class LogSync {
  readonly #path: string;
  #fd: number | null = null;
  #isDirty = false;
  #isSyncing = false;
  /** Who waits for the sync on its way, and who for the next. */
  #current: Deferred<void> = deferred();
  #waiting: Deferred<void> | null = null;
  #idle: NodeJS.Timeout | null = null;
  #failure: Error | null = null;

  constructor(databasePath: string) {
    this.#path = `${databasePath}-wal`;
  }

  /** Why nothing can be promised any more; null as long as all is well. */
  get failure(): Error | null {
    return this.#failure;
  }

  /** Something was committed to the log. */
  wrote(): void {
    this.#isDirty = true;
    this.#idle ??= setTimeout(() => {
      this.#idle = null;
      if (this.#isDirty) this.synced().catch(() => {}); // whoever waits hears of it
    }, IDLE_SYNC_MS).unref();
  }

  /** Resolves when all that was committed until now is on the disk. */
  synced(): Promise<void> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    if (!this.#isDirty && !this.#isSyncing) return DONE;
    // A sync on its way may have missed the last commits: the next one has them.
    if (!this.#isDirty) return this.#current.promise;
    this.#waiting ??= deferred();
    const { promise } = this.#waiting;
    if (!this.#isSyncing) this.#start();
    return promise;
  }

  /** After the sync on its way: a descriptor that is closed under it may be another file's by then. */
  async close(): Promise<void> {
    if (this.#idle !== null) clearTimeout(this.#idle);
    await this.synced().catch(() => {}); // whoever waits hears of it
    if (this.#fd !== null) closeSync(this.#fd);
    this.#fd = null;
  }

  #start(): void {
    this.#current = this.#waiting ?? deferred();
    this.#current.promise.catch(() => {});
    this.#waiting = null;
    this.#isDirty = false;
    this.#isSyncing = true;
    try {
      // The log is there since the first commit, and stays as long as the database is open.
      this.#fd ??= openSync(this.#path, "r+");
    } catch (cause) {
      return this.#done(cause as Error);
    }
    fdatasync(this.#fd, (error) => this.#done(error));
  }

  #done(error: Error | null): void {
    this.#isSyncing = false;
    if (error !== null) return this.#fail(error);
    this.#current.resolve();
    if (this.#waiting !== null) this.#start();
  }

  /**
   * The kernel may have dropped what it could not write, and would not say so
   * again: nothing is acknowledged until a restart has read what is there.
   */
  #fail(cause: Error): void {
    this.#failure = unavailable(
      "the data directory cannot be written; see the server's log, and start it again",
      { cause },
    );
    this.#current.reject(this.#failure);
    this.#waiting?.reject(this.#failure);
    this.#waiting = null;
  }
}

const DONE = Promise.resolve();
