import type { Logger } from "../lib/logger.ts";
import { uuid7 } from "../lib/uuid.ts";
import type { Database } from "../storage/database.ts";
import {
  deleteInstance,
  insertInstance,
  listInstances,
  voidLeases,
  voidLeasesOf,
} from "../storage/instances.ts";
import {
  extendLease,
  readNews,
  type QueueNews,
} from "../storage/queue-news.ts";
import { hasDied, thisProcess, type HostProcess } from "./host-process.ts";
import type { EngineSettings } from "./settings.ts";

export interface LeaseDeps {
  database: Database;
  log: Logger;
  settings: EngineSettings;
  /** Another instance has declared this one dead, or may have: none of the runs here is ours any more. */
  onLost: () => void;
}

/**
 * This process's claim on its runs: one row, one heartbeat for all of them,
 * which also brings the news of the queue. User code lives in other processes,
 * so it cannot hold the heartbeat up.
 */
export class InstanceLease {
  #id = uuid7();
  #beatAt = 0;
  #expiry: NodeJS.Timeout | null = null;
  readonly #deps: LeaseDeps;

  constructor(deps: LeaseDeps) {
    this.#deps = deps;
  }

  get id(): string {
    return this.#id;
  }

  async start(): Promise<void> {
    const { database } = this.#deps;
    if (database.isExclusive)
      await database.transaction(async (tx) => {
        await voidLeases(tx);
        await insertInstance(tx, this.#row());
      });
    else {
      await this.#voidDeadNeighbours();
      await this.#insert();
    }
  }

  /** What there is to do. Extends the lease when it is time to: nobody can reap an instance that has the database to itself. */
  async readNews(): Promise<QueueNews> {
    const { database, settings } = this.#deps;
    const isDue = performance.now() - this.#beatAt >= settings.beatMs;
    if (database.isExclusive || !isDue) return readNews(database, this.#id);
    const beatAt = performance.now();
    const news = await extendLease(database, this.#row());
    this.#extended(beatAt);
    return news ?? this.#startAnew();
  }

  /** Ends the lease. Every run must have been finished or handed back. */
  async end(): Promise<void> {
    await this.#deps.database.transaction((tx) => deleteInstance(tx, this.#id));
  }

  async #startAnew(): Promise<QueueNews> {
    const { database, log, onLost } = this.#deps;
    log.error(
      { instance_id: this.#id },
      "this instance was declared dead; its runs are dropped here",
    );
    onLost();
    this.#id = uuid7(); // never the old row again: its runs belong to others now
    await this.#insert();
    return readNews(database, this.#id);
  }

  async #insert(): Promise<void> {
    const beatAt = performance.now();
    await this.#deps.database.transaction((tx) =>
      insertInstance(tx, this.#row()),
    );
    this.#extended(beatAt);
  }

  /**
   * Who hears nothing from the database for a lease does not wait to be told:
   * others have its runs by then. The time counts from before the beat was
   * sent, so it is up here first. After a standstill this timer comes before
   * anything that workers have asked for meanwhile.
   */
  #extended(beatAt: number): void {
    this.#beatAt = beatAt;
    this.stopWaiting();
    const { leaseMs } = this.#deps.settings;
    const leftMs = beatAt + leaseMs - performance.now();
    this.#expiry = setTimeout(() => this.#expire(), Math.max(0, leftMs));
  }

  #expire(): void {
    const { log, onLost } = this.#deps;
    log.error(
      { instance_id: this.#id },
      "the lease could not be extended in time; the runs of this instance are dropped here",
    );
    onLost();
  }

  /** At the end, whether the row could be deleted or not. */
  stopWaiting(): void {
    if (this.#expiry !== null) clearTimeout(this.#expiry);
  }

  #row() {
    return {
      instance_id: this.#id,
      leaseMs: this.#deps.settings.leaseMs,
      info: thisProcess(),
    };
  }

  /** A server that was killed and comes back finds its runs at once. */
  async #voidDeadNeighbours(): Promise<void> {
    const { database } = this.#deps;
    const dead = (await listInstances(database))
      .filter(({ info }) => hasDied(info as Partial<HostProcess> | null))
      .map(({ instance_id }) => instance_id);
    if (dead.length > 0)
      await database.transaction((tx) => voidLeasesOf(tx, dead));
  }
}
