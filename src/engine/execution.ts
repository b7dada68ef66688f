import { deferred } from "../lib/deferred.ts";
import { isObject } from "../lib/json.ts";
import { backoffMs } from "../lib/backoff.ts";
import type { Logger } from "../lib/logger.ts";
import { retry } from "../lib/retry.ts";
import type { ThreadSnapshot } from "../model/thread.ts";
import { CHANNELS } from "../storage/channels.ts";
import type { Database, Queryable } from "../storage/database.ts";
import {
  readCheckpoints,
  type CheckpointPage,
} from "../storage/checkpoint-reads.ts";
import { insertSegment, type Segment } from "../storage/event-segments.ts";
import { MissingValuesError } from "../storage/checkpoints.ts";
import { handBackRun, type ClaimedRun } from "../storage/run-queue.ts";
import type { EventLog } from "../stream/event-log.ts";
import type { CheckpointWrite } from "../protocol/checkpoint-frames.ts";
import type { AttemptOutcome } from "../workers/attempt.ts";
import { storeRunWrites } from "../workers/checkpoint-requests.ts";
import type { WorkerPool } from "../workers/pool.ts";
import {
  closingEvents,
  recordEnd,
  ROLLED_BACK,
  type RunEnd,
} from "./finish-run.ts";
import type { EngineSettings } from "./settings.ts";
import type { Suspects } from "./suspects.ts";

/*
 * One attempt at one run, from the claim to its record:
 *
 *   claimed ──► executing ──► ended ──► recorded          (finish transaction)
 *                  │ worker died, server stops ──► handed back, its turn kept
 *                  └ lease lost ──► dropped: nothing of it is stored
 */

export interface ExecutionDeps {
  database: Database;
  events: EventLog;
  workers: WorkerPool;
  log: Logger;
  settings: EngineSettings;
  suspects: Suspects;
}

/** A head with more values than this is read when the graph asks for it. */
const MAX_HEAD_BYTES = 8 * 1024 * 1024;

type StopReason = "cancelled" | "timed out" | "server stops";

/** Who is in a step when the server stops does it again at the next start, so there is little to wait for. */
const HAND_BACK_GRACE_MS = 1000;

/** For attempts that failed because the server could not store or read. */
const RETRY_BACKOFF = { firstMs: 1000, maxMs: 60_000 };

export class Execution {
  readonly run: ClaimedRun;
  readonly #deps: ExecutionDeps;
  #stopReason: StopReason | null = null;
  #retryDelayMs = 0;
  /** Of workers, by this run's doing, since it was claimed. */
  #deaths = 0;
  /** Of the attempt's checkpoints, those that are stored with its end. */
  #writes: readonly CheckpointWrite[] = [];
  readonly #giveUp = new AbortController();
  #timers: NodeJS.Timeout[] = [];
  readonly #settled = deferred<void>();
  /** Resolves when the run is recorded, handed back or dropped. Never rejects. */
  readonly settled = this.#settled.promise;

  constructor(deps: ExecutionDeps, run: ClaimedRun) {
    this.#deps = deps;
    this.run = run;
  }

  async perform(firstSeq: number): Promise<void> {
    const { events, log } = this.#deps;
    const { run_id, attempt } = this.run;
    events.open(this.run, firstSeq, { isKept: this.run.keeps_events });
    void events.append(this.run, [
      ["metadata", JSON.stringify({ run_id, attempt })],
    ]);
    try {
      const end = await this.#attempt();
      if (end === "handed back") await this.#handBack();
      else {
        this.#deps.suspects.clear(run_id);
        if (end !== "lost") await this.#record(end);
      }
    } catch (cause) {
      log.error(
        { err: cause, run_id },
        "a run could not be recorded; it is retried when its lease ends",
      );
    } finally {
      for (const timer of this.#timers) clearTimeout(timer);
      events.close(this.run, []);
      this.#settled.resolve();
    }
  }

  /** Abort signal now; a worker that does not heed it is ended after the grace period. */
  stop(reason: StopReason): void {
    if (reason === "server stops") this.#giveUp.abort();
    if (this.#stopReason !== null) return;
    this.#stopReason = reason;
    const { workers, settings, log } = this.#deps;
    const { run_id } = this.run;
    void workers.cancel(this.run);
    const isOurs = reason === "server stops";
    const graceMs = isOurs
      ? Math.min(settings.cancelGraceMs, HAND_BACK_GRACE_MS)
      : settings.cancelGraceMs;
    this.#later(graceMs, () => {
      log.warn(
        { run_id },
        `a run did not stop within ${graceMs} ms; its worker is ended`,
      );
      workers.killWorkerOf(run_id);
    });
  }

  async #attempt(): Promise<RunEnd | "handed back" | "lost"> {
    const { run } = this;
    if (run.cancel === "rollback") return ROLLED_BACK;
    if (run.cancel !== null) return this.#interrupted();
    const { workers, settings, suspects } = this.#deps;
    // Who has been near that many deaths is not to be near anybody else's run.
    const deaths = run.deaths + suspects.casesOf(run.run_id);
    const alone = deaths >= Math.max(1, run.max_attempts - 1);
    const head = await this.#head();
    const executing = workers.execute(
      {
        ...run,
        head,
        resume: run.input_applied,
        watched: run.keeps_events,
      },
      { alone },
    );
    if (executing === null) return "handed back";
    this.#later(settings.runTimeoutMs, () => this.stop("timed out"));
    const outcome = await executing;
    if ("writes" in outcome) this.#writes = outcome.writes ?? [];
    return this.#endOf(outcome);
  }

  /** Null when the run starts elsewhere, or when it is too much to send before it is asked for. */
  async #head(): Promise<CheckpointPage | null> {
    const { thread_id, kwargs } = this.run;
    const { configurable } = kwargs.config;
    if (isObject(configurable) && configurable["checkpoint_id"] !== undefined)
      return null;
    const query = { thread_id, checkpoint_ns: "", limit: 1 };
    const page = await readCheckpoints(this.#deps.database, query).catch(
      () => null, // the graph will ask, and be told why not
    );
    if (page === null) return null;
    const bytes = page.values.reduce((sum, { data }) => sum + data.length, 0);
    return bytes > MAX_HEAD_BYTES ? null : page;
  }

  async #endOf(
    outcome: AttemptOutcome,
  ): Promise<RunEnd | "handed back" | "lost"> {
    switch (outcome.status) {
      case "success":
        return { status: "success", error: null, snapshot: outcome.snapshot };
      case "error": {
        const snapshot = outcome.snapshot ?? (await this.#snapshot());
        return { status: "error", error: outcome.error, snapshot };
      }
      case "interrupted":
        return this.#stopped(outcome.snapshot);
      case "lost":
        return "lost";
      case "worker died":
        if (this.#stopReason === "server stops") return "handed back";
        if (this.#stopReason !== null)
          return this.#stopped(await this.#snapshot());
        this.#deaths = this.#deps.suspects.deathsOf(this.run.run_id, outcome);
        return this.#isOutOfAttempts ? this.#outOfAttempts() : "handed back";
      case "server failed":
        this.#retryDelayMs = backoffMs(this.run.attempt, RETRY_BACKOFF);
        return "handed back";
    }
  }

  #stopped(snapshot: ThreadSnapshot | null): RunEnd | "handed back" {
    if (this.#stopReason === "server stops") return "handed back";
    if (this.#stopReason !== "timed out")
      return { status: "interrupted", error: null, snapshot };
    const seconds = this.#deps.settings.runTimeoutMs / 1000;
    return {
      status: "timeout",
      error: {
        error: "TimeoutError",
        message: `the run exceeded its limit of ${seconds} s (BG_JOB_TIMEOUT_SECS)`,
      },
      snapshot,
    };
  }

  async #interrupted(): Promise<RunEnd> {
    return {
      status: "interrupted",
      error: null,
      snapshot: await this.#snapshot(),
    };
  }

  get #allDeaths(): number {
    return this.run.deaths + this.#deaths;
  }

  get #isOutOfAttempts(): boolean {
    return this.#deaths > 0 && this.#allDeaths >= this.run.max_attempts;
  }

  async #outOfAttempts(): Promise<RunEnd> {
    const deaths = this.#allDeaths;
    const times = deaths === 1 ? "once" : `${deaths} times`;
    return {
      status: "error",
      error: {
        error: "MaxAttemptsError",
        message: `the worker of this run died ${times}; it is not tried again (BG_JOB_MAX_RETRIES)`,
      },
      snapshot: await this.#snapshot(),
    };
  }

  /** How the checkpoints say the thread stands; null when no worker can tell. */
  async #snapshot(): Promise<ThreadSnapshot | null> {
    const { graph_id, thread_id, kwargs } = this.run;
    const { configurable } = kwargs.config;
    try {
      return await this.#deps.workers.ask("state.snapshot", {
        target: {
          graph_id,
          thread_id,
          configurable: { ...(configurable as object) },
          context: kwargs.context,
        },
      });
    } catch (cause) {
      this.#deps.log.warn(
        { err: cause, thread_id },
        "the state of a thread could not be read",
      );
      return null;
    }
  }

  async #record(end: RunEnd): Promise<void> {
    const { database, events, log } = this.#deps;
    const { run_id, thread_id } = this.run;
    const closing = closingEvents(run_id, end);
    const segment = this.#leaner(await events.take(this.run, closing), end);
    const recorded = await this.#persistently(() =>
      database
        .transaction((tx) =>
          recordEnd(tx, { run: this.run, end, segment, writes: this.#writes }),
        )
        .catch(missingValues),
    );
    if (recorded === "lost") return;
    if (recorded === "incomplete") return this.#repeat(segment, closing.length);
    events.close(
      this.run,
      recorded.isGone ? closingEvents(run_id, ROLLED_BACK) : closing,
    );
    database.notify(CHANNELS.finished, run_id);
    if (recorded.hasNext) database.notify(CHANNELS.runs, thread_id);
    const status = recorded.isGone ? "rolled back" : end.status;
    log.debug({ run_id, thread_id, status }, "run ended");
  }

  /** A run that was not streamed leaves a long state to its thread alone. */
  #leaner(segment: Segment | null, { snapshot }: RunEnd): Segment | null {
    const { run_id, keeps_events } = this.run;
    if (segment === null || keeps_events || snapshot === null) return segment;
    const { results } = this.#deps.events;
    const lean = results.lean(run_id, segment.events, snapshot.values);
    const left = segment.events.length - lean.length;
    return { ...segment, first_seq: segment.first_seq + left, events: lean };
  }

  /** Something that its last checkpoints build on was deleted under it: it goes on from what is stored, and keeps what it has streamed. */
  async #repeat(segment: Segment | null, closing: number): Promise<void> {
    this.#writes = [];
    const events = segment?.events.slice(0, -closing) ?? [];
    await this.#handBack(segment && { ...segment, events });
  }

  /** Back to the queue, with what it has streamed and stored so far. */
  async #handBack(streamed?: Segment | null): Promise<void> {
    const { database, events } = this.#deps;
    const { run_id } = this.run;
    events.keep(run_id); // the next attempt goes on from what readers have seen
    const segment =
      streamed === undefined ? await events.take(this.run, []) : streamed;
    await this.#persistently(() =>
      database.transaction(async (tx) => {
        if (segment !== null && segment.events.length > 0)
          await insertSegment(tx, segment);
        await this.#storeWrites(tx);
        await handBackRun(tx, this.run, {
          deaths: this.#deaths,
          delayMs: this.#retryDelayMs,
        });
      }),
    );
    database.notify(CHANNELS.runs, this.run.thread_id);
  }

  /** Those that miss what they build on are not missed themselves: the next attempt makes them again. */
  async #storeWrites(tx: Queryable): Promise<void> {
    if (this.#writes.length === 0) return;
    try {
      await storeRunWrites(tx, this.run, this.#writes);
    } catch (cause) {
      if (cause instanceof MissingValuesError) this.#writes = [];
      throw cause; // all of the transaction is tried again
    }
  }

  /** A full disk or a database that restarts must not strand a run: nobody else may touch it while we hold it. */
  #persistently<T>(fn: () => Promise<T>): Promise<T> {
    const { log } = this.#deps;
    return retry(fn, {
      firstMs: 200,
      maxMs: 5000,
      signal: this.#giveUp.signal,
      onFailure: (cause) =>
        log.error(
          { err: cause, run_id: this.run.run_id },
          "a run could not be recorded; trying again",
        ),
    });
  }

  #later(milliseconds: number, fn: () => void): void {
    this.#timers.push(setTimeout(fn, milliseconds));
  }
}

function missingValues(cause: unknown): "incomplete" {
  if (cause instanceof MissingValuesError) return "incomplete";
  throw cause;
}
