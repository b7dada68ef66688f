import { backoffMs } from "../lib/backoff.ts";
import type { Logger } from "../lib/logger.ts";
import { uuid7 } from "../lib/uuid.ts";
import { CHANNELS } from "../storage/channels.ts";
import type { Database } from "../storage/database.ts";
import {
  claimDeliveries,
  deleteExpiredDeliveries,
  listWaitingHosts,
  releaseAllDeliveries,
  releaseDelivery,
  setDelivered,
  setFailed,
  type ClaimedDelivery,
} from "../storage/webhook-outbox.ts";
import {
  attempt,
  type AttemptDeps,
  type AttemptOutcome,
} from "./webhook-attempt.ts";
import { HostSlots } from "./webhook-slots.ts";

export interface OutboxDeps extends AttemptDeps {
  database: Database;
  log: Logger;
}

/** From the connection to the status of the answer. */
const ATTEMPT_MS = 10_000;

/** Longer than any attempt, with its record: who has a claim for so long is dead. */
const CLAIM_MS = 30_000;

const RETRY = { firstMs: 1000, maxMs: 3_600_000 };

/** What a lost notification delays a webhook by, at most. */
const POLL_MS = 30_000;

/** Between two looks at what is not due yet, should the clock of the database be another one than ours. */
const MIN_WAIT_MS = 100;

/** After a look that failed. */
const FAILED_MS = 5000;

/** Between two looks while receivers have more to get than they have places: 8 places and 20 ms are 400 a second for each. */
const PACE_MS = 20;

const SWEEP_MS = 600_000;
const SWEPT_AT_ONCE = 200;

/** Attempts that go on when the server stops get this long. */
const CLOSE_MS = 2000;

/**
 * Sends what the ends of runs have put into the outbox. Every instance does:
 * claims keep them apart. A notification wakes it at once; a timer is set for
 * what is due later.
 */
export class WebhookOutbox implements AsyncDisposable {
  readonly #deps: OutboxDeps;
  readonly #owner = uuid7();
  readonly #slots = new HostSlots();
  /** Of the attempts that are under way. */
  readonly #aborts = new Set<AbortController>();
  #isCutOff = false;
  readonly #sending = new Set<Promise<void>>();
  #endings: (() => void)[] = [];
  #timer: NodeJS.Timeout | null = null;
  #looking: Promise<void> | null = null;
  #isNudged = false;
  #pace: NodeJS.Timeout | null = null;
  /** At the last look there were deliveries without a place, perhaps. */
  #isBacklogged = false;
  #isStopping = false;

  constructor(deps: OutboxDeps) {
    this.#deps = deps;
  }

  async start(): Promise<void> {
    const { database } = this.#deps;
    if (database.isExclusive)
      await database.transaction((tx) => releaseAllDeliveries(tx));
    const nudge = () => this.nudge();
    const sweep = setInterval(() => void this.#sweep(), SWEEP_MS);
    this.#endings = [
      database.listen(CHANNELS.webhooks, nudge, nudge),
      () => clearInterval(sweep),
    ];
    this.nudge();
    void this.#sweep();
  }

  /** There may be something to send. */
  nudge(): void {
    this.#isNudged = true;
    this.#looking ??= this.#look();
  }

  /** Claims nothing more; what does not end in time is somebody else's, or the next start's. */
  async close(): Promise<void> {
    if (this.#isStopping) return;
    this.#isStopping = true;
    for (const end of this.#endings) end();
    await this.#looking;
    this.#clearTimers();
    const timer = setTimeout(() => this.#cutOff(), CLOSE_MS);
    await Promise.all(this.#sending);
    clearTimeout(timer);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #cutOff(): void {
    this.#isCutOff = true;
    for (const abort of this.#aborts) abort.abort();
  }

  async #look(): Promise<void> {
    try {
      while (this.#isNudged && !this.#isStopping) {
        this.#isNudged = false;
        await this.#claim();
      }
    } catch (cause) {
      this.#deps.log.error({ err: cause }, "webhooks could not be looked for");
      this.#wakeIn(FAILED_MS);
    } finally {
      this.#looking = null;
    }
  }

  async #claim(): Promise<void> {
    const { database } = this.#deps;
    const waiting = (await listWaitingHosts(database)).map((row) => ({
      host: row.host,
      dueAt: Date.parse(row.next_attempt_at),
    }));
    const open = waiting.filter(({ host }) => this.#mayCall(host));
    this.#isBacklogged = open.length < waiting.length;
    open.sort((a, b) => a.dueAt - b.dueAt);
    const now = Date.now();
    const due = open.filter(({ dueAt }) => dueAt <= now);
    const claimed = await this.#claimFor(due);
    if (claimed === 0)
      return this.#wakeIn(
        Math.min(
          Math.max((open[0]?.dueAt ?? Infinity) - now, MIN_WAIT_MS),
          POLL_MS,
        ),
      );
    this.#isNudged = true; // for when the others are due
  }

  /** Paths of the server itself are for those instances that listen. */
  #mayCall(host: string): boolean {
    const isThere = host !== "" || this.#deps.ownUrl() !== null;
    return isThere && this.#slots.room(host) > 0;
  }

  /** Returns how many are being sent now. */
  async #claimFor(due: readonly { host: string }[]): Promise<number> {
    if (due.length === 0) return 0;
    const { database } = this.#deps;
    const claimed = await database.transaction(async (tx) => {
      const all: ClaimedDelivery[] = [];
      const { left } = this.#slots;
      for (const { host } of due) {
        const limit = Math.min(this.#slots.room(host), left - all.length);
        if (limit <= 0) continue;
        const claim = { host, limit, owner: this.#owner, claimMs: CLAIM_MS };
        all.push(...(await claimDeliveries(tx, claim)));
      }
      return all;
    });
    // The end of the run leaves the process with this.
    await database.durable();
    for (const delivery of claimed) this.#send(delivery);
    return claimed.length;
  }

  #send(delivery: ClaimedDelivery): void {
    this.#slots.take(delivery.host);
    const sending = this.#attempt(delivery).finally(() => {
      this.#slots.free(delivery.host);
      this.#sending.delete(sending);
      this.#goOn();
    });
    this.#sending.add(sending);
  }

  /** A place is free. While somebody waits for one, places are given out a few at a time: a look may pass over many who wait. */
  #goOn(): void {
    if (this.#isStopping) return;
    if (!this.#isBacklogged) return this.nudge();
    this.#pace ??= setTimeout(() => {
      this.#pace = null;
      this.nudge();
    }, PACE_MS);
  }

  /** Never rejects: what cannot be recorded is sent again when its claim is over. */
  async #attempt(delivery: ClaimedDelivery): Promise<void> {
    const { log } = this.#deps;
    const outcome = await this.#sendOnce(delivery);
    this.#slots.rate(delivery.host, outcome.kind === "delivered");
    try {
      await this.#record(delivery, outcome);
    } catch (cause) {
      const { delivery_id } = delivery;
      log.error(
        { err: cause, delivery_id },
        "what became of a webhook could not be recorded; it is sent again",
      );
    }
  }

  async #sendOnce(delivery: ClaimedDelivery): Promise<AttemptOutcome> {
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), ATTEMPT_MS);
    this.#aborts.add(abort);
    const outcome = await attempt(this.#deps, delivery, abort.signal);
    clearTimeout(timer);
    this.#aborts.delete(abort);
    return outcome;
  }

  async #record(
    delivery: ClaimedDelivery,
    outcome: AttemptOutcome,
  ): Promise<void> {
    const { database } = this.#deps;
    const claim = { ...delivery, owner: this.#owner };
    if (outcome.kind === "delivered")
      return database.transaction((tx) =>
        setDelivered(tx, claim, outcome.status),
      );
    if (this.#isCutOff)
      return database.transaction((tx) => releaseDelivery(tx, claim));
    const { status: response_status, error } = outcome;
    const retryInMs = outcome.isFinal ? null : waitMs(delivery, outcome);
    const status = await database.transaction((tx) =>
      setFailed(tx, claim, { response_status, error, retryInMs }),
    );
    this.#report(delivery, { status, retryInMs, error });
  }

  #report(
    { delivery_id, run_id, host, attempts }: ClaimedDelivery,
    facts: { status: string | null; retryInMs: number | null; error: string },
  ): void {
    const { log } = this.#deps;
    // Not the URL: there may be a secret in it.
    const fields = { delivery_id, run_id, host, attempts, error: facts.error };
    if (facts.status === "dead")
      log.warn(fields, "a webhook was given up; it can be replayed");
    else
      log.info(
        { ...fields, retry_in_ms: facts.retryInMs },
        "a webhook could not be delivered; it is tried again",
      );
  }

  #wakeIn(milliseconds: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (!this.#isStopping)
      this.#timer = setTimeout(() => this.nudge(), milliseconds);
  }

  #clearTimers(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.#pace !== null) clearTimeout(this.#pace);
  }

  async #sweep(): Promise<void> {
    const { database, log } = this.#deps;
    const some = () =>
      database.transaction((tx) => deleteExpiredDeliveries(tx, SWEPT_AT_ONCE));
    try {
      while (!this.#isStopping && (await some()) === SWEPT_AT_ONCE);
    } catch (cause) {
      log.error({ err: cause }, "old webhook deliveries could not be deleted");
    }
  }
}

const waitMs = (
  { attempts }: ClaimedDelivery,
  { retryAfterMs }: AttemptOutcome & { kind: "failed" },
): number =>
  Math.max(backoffMs(attempts, RETRY), Math.min(retryAfterMs, RETRY.maxMs));
