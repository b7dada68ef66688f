import { backoffMs } from "../lib/backoff.ts";
import { deferred } from "../lib/deferred.ts";
import type { ThreadSnapshot } from "../model/thread.ts";
import type { ClaimedRun } from "../storage/run-queue.ts";
import type { AttemptOutcome } from "../workers/attempt.ts";
import type { WorkerPool } from "../workers/pool.ts";
import { openingEvents } from "./edge-events.ts";
import { ROLLED_BACK, type RunEnd } from "./finish-run.ts";
import { newestCheckpoint, snapshotOf } from "./run-checkpoints.ts";
import { RunRecord, type RecordDeps } from "./run-record.ts";
import type { EngineSettings } from "./settings.ts";
import type { Suspects } from "./suspects.ts";

/*
 * One attempt at one run, from the claim to its record:
 *
 *   claimed ──► executing ──► ended ──► recorded          (finish transaction)
 *                  │ worker died, server stops ──► handed back, its turn kept
 *                  └ lease lost ──► dropped: nothing of it is stored
 */

export interface ExecutionDeps extends RecordDeps {
  workers: WorkerPool;
  settings: EngineSettings;
  suspects: Suspects;
}

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
  readonly #giveUp = new AbortController();
  readonly #record: RunRecord;
  #timers: NodeJS.Timeout[] = [];
  readonly #settled = deferred<void>();
  /** Resolves when the run is recorded, handed back or dropped. Never rejects. */
  readonly settled = this.#settled.promise;

  constructor(deps: ExecutionDeps, run: ClaimedRun) {
    this.#deps = deps;
    this.run = run;
    this.#record = new RunRecord(deps, run, this.#giveUp.signal);
  }

  async perform(firstSeq: number): Promise<void> {
    const { database, events, log } = this.#deps;
    const { run_id } = this.run;
    const isUrgent = this.#isWatched;
    // Readers at other instances have only the table.
    const isKept = isUrgent || !database.isExclusive;
    events.open(this.run, firstSeq, { isKept, isUrgent });
    void events.append(this.run, openingEvents(this.run));
    try {
      const end = await this.#attempt();
      if (end === "handed back")
        await this.#record.handBack({
          deaths: this.#deaths,
          delayMs: this.#retryDelayMs,
        });
      else {
        this.#deps.suspects.clear(run_id);
        if (end !== "lost") await this.#record.end(end);
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
    const { workers, settings, suspects, events } = this.#deps;
    // Who has been near that many deaths is not to be near anybody else's run.
    const deaths = run.deaths + suspects.casesOf(run.run_id);
    const alone = deaths >= Math.max(1, run.max_attempts - 1);
    const head = await newestCheckpoint(this.#deps.database, run);
    const executing = workers.execute(
      {
        ...run,
        head,
        resume: run.input_applied,
        watched: this.#isWatched,
        followed: events.isRead(run.thread_id),
      },
      { alone },
    );
    if (executing === null) return "handed back";
    this.#later(settings.runTimeoutMs, () => this.stop("timed out"));
    const outcome = await executing;
    if ("writes" in outcome) this.#record.rest = outcome;
    return this.#endOf(outcome);
  }

  async #endOf(
    outcome: AttemptOutcome,
  ): Promise<RunEnd | "handed back" | "lost"> {
    switch (outcome.status) {
      case "success":
        return { status: "success", error: null, snapshot: outcome.snapshot };
      case "error": {
        const snapshot = outcome.snapshot ?? (await this.#snapshot());
        const { error, refusal } = outcome;
        return {
          ...{ status: "error", error, snapshot },
          ...(refusal === undefined ? {} : { refusal }),
        };
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

  get #isWatched(): boolean {
    const { keeps_events, thread_id } = this.run;
    return keeps_events || this.#deps.events.isRead(thread_id);
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

  #snapshot(): Promise<ThreadSnapshot | null> {
    return snapshotOf(this.#deps, this.run);
  }

  #later(milliseconds: number, fn: () => void): void {
    this.#timers.push(setTimeout(fn, milliseconds));
  }
}
