import { CHANNELS } from "../storage/channels.ts";
import {
  claimRuns,
  handBackUnknown,
  hasReadyRun,
  listCancelled,
  type ClaimedRun,
} from "../storage/run-queue.ts";
import { Delays } from "./delays.ts";
import { firstSeqOf } from "./event-numbers.ts";
import { Execution, type ExecutionDeps } from "./execution.ts";
import { InstanceLease } from "./lease.ts";
import { reapExpired } from "./recovery.ts";
import { Suspects } from "./suspects.ts";

/** Runs claimed by one statement; more are claimed by the next. */
const MAX_CLAIM = 64;

/** So many polls come to one look for threads whose runs all wait: it reads every run that does. */
const REPAIR_POLLS = 10;

/**
 * Claims runs while there is room in the workers, executes them, and stops
 * them when somebody asks. Notifications make it quick; the poll makes it
 * certain.
 */
export class Dispatcher implements AsyncDisposable {
  readonly #deps: ExecutionDeps;
  readonly #lease: InstanceLease;
  readonly #delays: Delays;
  readonly #executions = new Map<string, Execution>();
  #endings: (() => void)[] = [];
  #pumping: Promise<void> | null = null;
  #isNudged = false;
  /** Runs may be waiting for room in the workers. */
  #wantsRoom = false;
  #isStopping = false;
  #polling: Promise<void> | null = null;
  #polls = 0;
  #hadUnknown = false;

  constructor(deps: Omit<ExecutionDeps, "suspects">) {
    this.#deps = { ...deps, suspects: new Suspects() };
    this.#lease = new InstanceLease({
      ...deps,
      onLost: () => this.#stopAll(),
    });
    this.#delays = new Delays({ ...deps, onDue: () => this.nudge() });
  }

  async start(): Promise<void> {
    const { database, settings } = this.#deps;
    await this.#lease.start();
    await reapExpired(this.#deps);
    const poll = setInterval(() => void this.#poll(), settings.pollMs);
    this.#endings = [
      () => clearInterval(poll),
      database.listen(
        CHANNELS.runs,
        () => this.nudge(),
        () => this.nudge(),
      ),
      database.listen(
        CHANNELS.delays,
        () => void this.#delays.look(),
        () => void this.#delays.look(),
      ),
      () => this.#delays[Symbol.dispose](),
      database.listen(CHANNELS.cancels, (runId) =>
        this.#executions.get(runId)?.stop("cancelled"),
      ),
    ];
    void this.#delays.look();
    this.nudge();
  }

  get executing(): number {
    return this.#executions.size;
  }

  /** A worker has room. Whoever ends with nobody waiting needs no look at the queue. */
  nudgeForRoom(): void {
    if (this.#wantsRoom) this.nudge();
  }

  /** There may be runs to claim. */
  nudge(): void {
    this.#isNudged = true;
    this.#pumping ??= this.#pump();
  }

  /**
   * Stops claiming and lets the runs end. What is left after the grace period
   * goes back to the queue, with no attempt lost.
   */
  async close(): Promise<void> {
    if (this.#isStopping) return;
    this.#isStopping = true;
    for (const end of this.#endings) end();
    await this.#pumping; // what it has claimed is ours to end
    await this.#drain(this.#deps.settings.shutdownGraceMs);
    this.#stopAll();
    await this.#drain(this.#deps.settings.cancelGraceMs + 1000);
    this.#lease.stopWaiting();
    if (this.#executions.size === 0) await this.#lease.end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #drain(milliseconds: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise((resolve) => {
      timer = setTimeout(resolve, milliseconds);
    });
    const all = [...this.#executions.values()].map(({ settled }) => settled);
    await Promise.race([Promise.all(all), timeout]);
    clearTimeout(timer);
  }

  #stopAll(): void {
    for (const execution of this.#executions.values())
      execution.stop("server stops");
  }

  async #pump(): Promise<void> {
    try {
      while (this.#isNudged && !this.#isStopping) {
        this.#isNudged = false;
        await this.#claim();
      }
    } catch (cause) {
      this.#deps.log.error({ err: cause }, "runs could not be claimed");
    } finally {
      this.#pumping = null;
    }
  }

  async #claim(): Promise<void> {
    const { database, workers } = this.#deps;
    const limit = Math.min(workers.room, MAX_CLAIM);
    this.#wantsRoom = limit === 0;
    if (limit === 0) return; // the pool nudges when there is
    // The poll and many a nudge find nothing; on SQLite a look costs less than a transaction.
    if (database.isExclusive && !(await hasReadyRun(database))) return;
    const owner = this.#lease.id;
    const claimed = await claimRuns(database, { owner, limit });
    for (const run of claimed) this.#execute(run);
    if (claimed.length === limit) this.#isNudged = true;
  }

  #execute(run: ClaimedRun): void {
    const execution = new Execution(this.#deps, run);
    this.#executions.set(run.run_id, execution);
    void execution.settled.then(() => {
      // A run that was handed back may have been claimed again already.
      if (this.#executions.get(run.run_id) === execution)
        this.#executions.delete(run.run_id);
    });
    void execution.perform(firstSeqOf(run));
  }

  async #poll(): Promise<void> {
    this.#polling ??= this.#look().finally(() => (this.#polling = null));
    await this.#polling;
  }

  async #look(): Promise<void> {
    const { database, log } = this.#deps;
    try {
      const news = await this.#lease.readNews();
      if (news.has_expired && !database.isExclusive)
        await reapExpired(this.#deps);
      if (news.has_due || this.#polls++ % REPAIR_POLLS === 0)
        await this.#delays.look();
      if (news.has_cancelled)
        for (const { run_id } of await listCancelled(database, this.#lease.id))
          this.#executions.get(run_id)?.stop("cancelled");
      await this.#handBackUnknown(news.owned);
      if (news.has_ready) this.nudge();
    } catch (cause) {
      log.error({ err: cause }, "the poll of the queue failed");
    }
  }

  /** Runs that are ours by a claim whose answer was lost: nobody executes them, so they go back. */
  async #handBackUnknown(owned: number): Promise<void> {
    const { database } = this.#deps;
    const hasUnknown = owned > this.#executions.size;
    // A claim may be under way; twice in a row is none.
    if (hasUnknown && this.#hadUnknown) {
      // Nothing is claimed meanwhile: it would be unknown here as well.
      while (this.#pumping !== null) await this.#pumping;
      const known = [...this.#executions.keys()];
      this.#pumping = handBackUnknown(database, {
        owner: this.#lease.id,
        known,
      }).finally(() => (this.#pumping = null));
      await this.#pumping;
      this.nudge();
    }
    this.#hadUnknown = hasUnknown;
  }
}
