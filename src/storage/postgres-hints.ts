import { EventEmitter } from "node:events";
import type { Client } from "pg";
import { backoffMs } from "../lib/backoff.ts";
import type { Logger } from "../lib/logger.ts";
import { uuid7 } from "../lib/uuid.ts";

/*
 * Notifications, within this process at once and to others by NOTIFY. They are
 * hints: whoever waits for one reads the tables all the same, now and then, and
 * whenever the line was cut.
 *
 * All of Spool's channels are one channel of Postgres. What comes within a few
 * milliseconds is one NOTIFY, on the connection that listens: never in the
 * transaction that it tells of, because commits with a NOTIFY queue up behind
 * each other.
 */

const CHANNEL = "spool";

/** Notifications of this long are sent together. */
const COALESCE_MS = 10;

/** Of a NOTIFY; Postgres allows 8000 bytes. */
const MAX_PAYLOAD = 7500;

/** A line that is open on one side only looks healthy, so we listen to ourselves. */
const PROBE_EVERY_MS = 10_000;
const PROBE_TIMEOUT_MS = 5000;

const RECONNECT_BACKOFF = { firstMs: 100, maxMs: 2000 };

/** How long a notification that was lost may go unnoticed, and how often to look when none comes at all. */
const POLL_MS = 5000;
const DEAF_POLL_MS = 250;

interface HintsDeps {
  /** A connection of its own, not connected yet. */
  open: () => Client;
  /** It is not, for a pooler is in between: who listens there hears what is said on that one, or nothing. */
  isShared: boolean;
  log: Logger;
}

export class PostgresHints {
  readonly #deps: HintsDeps;
  /** Tells our own notifications from those of others. */
  readonly #origin = uuid7();
  readonly #local = new EventEmitter().setMaxListeners(0);
  readonly #onGap = new Set<() => void>();
  #client: Client | null = null;
  #outbox = new Set<string>();
  #flushTimer: NodeJS.Timeout | null = null;
  #connectTimer: NodeJS.Timeout | null = null;
  #probeTimer: NodeJS.Timeout | null = null;
  #isProbeOut = false;
  /** Nothing that we say comes back. */
  #isDeaf: boolean;
  #attempts = 0;
  #isClosed = false;

  constructor(deps: HintsDeps) {
    this.#deps = deps;
    this.#isDeaf = deps.isShared;
    void this.#connect();
  }

  /** How often whoever waits has to look for itself. */
  get pollMs(): number {
    return this.#client === null || this.#isDeaf ? DEAF_POLL_MS : POLL_MS;
  }

  listen(
    channel: string,
    fn: (payload: string) => void,
    onGap?: () => void,
  ): () => void {
    this.#local.on(channel, fn);
    if (onGap !== undefined) this.#onGap.add(onGap);
    return () => {
      this.#local.off(channel, fn);
      if (onGap !== undefined) this.#onGap.delete(onGap);
    };
  }

  notify(channel: string, payload: string): void {
    this.#local.emit(channel, payload);
    if (this.#isClosed) return;
    this.#outbox.add(`${channel} ${payload}`);
    this.#flushTimer ??= setTimeout(() => this.#flush(), COALESCE_MS);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const timer of [this.#connectTimer, this.#probeTimer])
      if (timer !== null) clearTimeout(timer);
    if (this.#flushTimer !== null) {
      clearTimeout(this.#flushTimer);
      this.#flush(); // others may wait for what has just happened here
    }
    await this.#client?.end().catch(() => {});
  }

  #flush(): void {
    this.#flushTimer = null;
    const lines = [...this.#outbox];
    this.#outbox.clear();
    let payload = this.#origin;
    for (const line of lines) {
      if (payload.length + line.length >= MAX_PAYLOAD) {
        this.#send(payload);
        payload = this.#origin;
      }
      payload += `\n${line}`;
    }
    this.#send(payload);
  }

  /**
   * Without a connection it is lost: others find out by their polls. Nobody
   * loses anything with a hint, so no disk is waited for; by a setting of the
   * transaction, because after a pooler a session is somebody else's.
   */
  #send(payload: string): void {
    this.#client
      ?.query(
        "select set_config('synchronous_commit', 'off', true), pg_notify($1, $2)",
        [CHANNEL, payload],
      )
      .catch(() => {});
  }

  async #connect(): Promise<void> {
    const client = this.#deps.open();
    let isOver = false;
    const over = () => {
      if (isOver) return;
      isOver = true;
      if (this.#client === client) this.#client = null;
      client.end().catch(() => {});
      this.#reconnect();
    };
    client.on("error", over);
    client.on("end", over);
    client.on("notification", ({ payload = "" }) => this.#receive(payload));
    try {
      await client.connect();
      if (!this.#deps.isShared) await client.query(`listen ${CHANNEL}`);
    } catch (cause) {
      if (this.#attempts === 0)
        this.#deps.log.warn(
          { err: cause },
          "cannot listen for notifications of the database; looking by polling until it goes",
        );
      return over();
    }
    if (this.#isClosed) return void client.end().catch(() => {});
    this.#client = client;
    this.#attempts = 0;
    this.#isProbeOut = false;
    if (!this.#deps.isShared) this.#probe(over);
    for (const fn of this.#onGap) fn();
  }

  #reconnect(): void {
    if (this.#isClosed) return;
    if (this.#probeTimer !== null) clearTimeout(this.#probeTimer);
    this.#attempts += 1;
    this.#connectTimer = setTimeout(
      () => void this.#connect(),
      backoffMs(this.#attempts, RECONNECT_BACKOFF),
    );
  }

  #probe(over: () => void): void {
    this.#isProbeOut = true;
    this.#send(this.#origin);
    this.#probeTimer = setTimeout(() => {
      if (this.#isProbeOut) return this.#unheard(over);
      this.#probeTimer = setTimeout(
        () => this.#probe(over),
        PROBE_EVERY_MS - PROBE_TIMEOUT_MS,
      );
    }, PROBE_TIMEOUT_MS);
  }

  #unheard(over: () => void): void {
    if (!this.#isDeaf)
      this.#deps.log.warn(
        "notifications of the database do not arrive: either the line was cut, or the address leads to a pooler (see docs/scaling.md); looking by polling",
      );
    this.#isDeaf = true;
    over();
  }

  #receive(payload: string): void {
    const [origin, ...lines] = payload.split("\n");
    if (origin === this.#origin) {
      this.#isProbeOut = false;
      this.#isDeaf = false;
      return;
    }
    for (const line of lines) {
      const space = line.indexOf(" ");
      this.#local.emit(line.slice(0, space), line.slice(space + 1));
    }
  }
}
