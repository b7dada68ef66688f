import type { Logger } from "../lib/logger.ts";
import { uuid7 } from "../lib/uuid.ts";
import type { Database } from "../storage/database.ts";
import {
  deleteInstance,
  extendLease,
  insertInstance,
  voidLeases,
} from "../storage/instances.ts";
import type { EngineSettings } from "./settings.ts";

export interface LeaseDeps {
  database: Database;
  log: Logger;
  settings: EngineSettings;
  /** Another instance has declared this one dead: none of the runs here is ours any more. */
  onLost: () => void;
}

/**
 * This process's claim on its runs: one row, one heartbeat for all of them.
 * User code lives in other processes, so it cannot hold the heartbeat up.
 */
export class InstanceLease {
  #id = uuid7();
  #timer: NodeJS.Timeout | null = null;
  readonly #deps: LeaseDeps;

  constructor(deps: LeaseDeps) {
    this.#deps = deps;
  }

  get id(): string {
    return this.#id;
  }

  async start(): Promise<void> {
    const { database, settings } = this.#deps;
    await database.transaction(async (tx) => {
      if (database.isExclusive) await voidLeases(tx);
      await insertInstance(tx, this.#row());
    });
    // Nobody can reap an instance that has the database to itself.
    if (database.isExclusive) return;
    this.#timer = setInterval(() => void this.#beat(), settings.beatMs);
  }

  /** Ends the lease. Every run must have been finished or handed back. */
  async end(): Promise<void> {
    this.stopBeating();
    await this.#deps.database.transaction((tx) => deleteInstance(tx, this.#id));
  }

  stopBeating(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
  }

  #row() {
    return {
      instance_id: this.#id,
      leaseMs: this.#deps.settings.leaseMs,
      info: { pid: process.pid },
    };
  }

  async #beat(): Promise<void> {
    const { database, log, onLost } = this.#deps;
    try {
      const isHeld = await database.transaction((tx) =>
        extendLease(tx, this.#row()),
      );
      if (isHeld) return;
      log.error(
        { instance_id: this.#id },
        "this instance was declared dead; its runs are dropped here",
      );
      onLost();
      this.#id = uuid7(); // never upsert the old row: its runs belong to others now
      await database.transaction((tx) => insertInstance(tx, this.#row()));
    } catch (cause) {
      log.error({ err: cause }, "the heartbeat failed");
    }
  }
}
