import type { Logger } from "../lib/logger.ts";
import { uuid7 } from "../lib/uuid.ts";
import { CHANNELS } from "../storage/channels.ts";
import type { Database } from "../storage/database.ts";
import { releaseDuty, takeDuty, voidDuty } from "../storage/duties.ts";

/*
 * Work that has to be done now and then, by one instance at a time.
 *
 *   waits ──take──► held ──close──► given up, and the others are told
 *     ▲              │  work · wait · work …, the lease renewed meanwhile
 *     └── lease lost ┘
 *
 * NOTE: a lease is no fence. An instance that was stopped for longer than its
 * lease may still finish the statement that it was about to make, so whatever
 * must not happen twice needs a row that says so.
 */

export interface DutyParams {
  /** The name of its row. */
  name: string;
  /** It is called this long after its last call has ended, at the latest. */
  everyMs: number;
  /** A notification on this channel calls it early. */
  channel?: string;
  /**
   * Does what there is to do, in transactions as short as they can be, and
   * resolves to when it wants to be called again, in milliseconds; null for
   * `everyMs`. It stops soon after the signal fires: the duty is another's then.
   */
  work: (signal: AbortSignal) => Promise<number | null>;
}

export interface DutyLease {
  leaseMs: number;
  /** A third of the lease: two beats may be lost. */
  beatMs: number;
}

/** A duty costs one statement per beat, at every instance. */
const LEASE: DutyLease = { leaseMs: 45_000, beatMs: 15_000 };

/** A timer for longer fires at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

export class Duty implements AsyncDisposable {
  readonly #database: Database;
  readonly #log: Logger;
  readonly #params: DutyParams;
  readonly #lease: DutyLease;
  readonly #owner = uuid7();
  /** Aborted once the duty is not ours any more; null while it is another's. */
  #held: AbortController | null = null;
  #lapse: NodeJS.Timeout | null = null;
  #next: NodeJS.Timeout | null = null;
  #beating: Promise<void> | null = null;
  #working: Promise<void> | null = null;
  #isWoken = false;
  #isClosed = false;
  #endings: (() => void)[] = [];

  constructor(
    deps: { database: Database; log: Logger; lease?: DutyLease },
    params: DutyParams,
  ) {
    this.#database = deps.database;
    this.#log = deps.log;
    this.#lease = deps.lease ?? LEASE;
    this.#params = params;
  }

  async start(): Promise<void> {
    const { name, channel } = this.#params;
    if (this.#database.isExclusive)
      await this.#database.transaction((tx) => voidDuty(tx, name));
    const wake = () => this.wake();
    const take = () => void this.#beat();
    const timer = setInterval(take, this.#lease.beatMs);
    this.#endings = [
      () => clearInterval(timer),
      this.#database.listen(CHANNELS.duties, (freed) => {
        if (freed === name) take();
      }),
    ];
    if (channel !== undefined)
      this.#endings.push(this.#database.listen(channel, wake, wake));
    await this.#beat();
  }

  /** There may be something to do. Nothing happens when the duty is another's. */
  wake(): void {
    if (this.#held === null) return;
    this.#isWoken = true;
    this.#working ??= this.#work();
  }

  /** Waits for the work to heed the signal, and gives the duty up. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const end of this.#endings) end();
    await this.#beating;
    this.#drop();
    await this.#working;
    const { name } = this.#params;
    const wasOurs = await this.#database.transaction((tx) =>
      releaseDuty(tx, { name, owner: this.#owner }),
    );
    if (wasOurs) this.#database.notify(CHANNELS.duties, name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #beat(): Promise<void> {
    // Nobody can take it from an instance that has the database to itself.
    if (this.#database.isExclusive && this.#held !== null)
      return Promise.resolve();
    this.#beating ??= this.#take().finally(() => (this.#beating = null));
    return this.#beating;
  }

  async #take(): Promise<void> {
    const { name } = this.#params;
    const holder = { name, owner: this.#owner, leaseMs: this.#lease.leaseMs };
    const asked = performance.now();
    try {
      const isOurs = await takeDuty(this.#database, holder);
      if (isOurs) this.#hold(asked);
      else this.#drop();
    } catch (cause) {
      this.#log.error({ err: cause, duty: name }, "a duty could not be taken");
    }
  }

  /** The lease counts from when it was asked for: the database's clock has not been read before. */
  #hold(asked: number): void {
    if (this.#lapse !== null) clearTimeout(this.#lapse);
    if (!this.#database.isExclusive)
      this.#lapse = setTimeout(
        () => this.#drop(),
        Math.max(0, asked + this.#lease.leaseMs - performance.now()),
      );
    if (this.#held !== null || this.#isClosed) return;
    this.#held = new AbortController();
    this.wake();
  }

  #drop(): void {
    for (const timer of [this.#lapse, this.#next])
      if (timer !== null) clearTimeout(timer);
    this.#held?.abort();
    this.#held = null;
  }

  async #work(): Promise<void> {
    let nextMs: number | null = null;
    while (this.#isWoken && this.#held !== null) {
      this.#isWoken = false;
      if (this.#next !== null) clearTimeout(this.#next);
      nextMs = await this.#call(this.#held.signal);
    }
    this.#working = null;
    if (this.#held === null) return;
    const { everyMs } = this.#params;
    this.#next = setTimeout(
      () => this.wake(),
      Math.min(nextMs ?? everyMs, everyMs, MAX_TIMER_MS),
    );
  }

  /** Never rejects: what failed is tried again when it is time for the next call. */
  async #call(signal: AbortSignal): Promise<number | null> {
    const { name, work } = this.#params;
    try {
      return await work(signal);
    } catch (cause) {
      if (!signal.aborted)
        this.#log.error({ err: cause, duty: name }, "a duty failed");
      return null;
    }
  }
}
