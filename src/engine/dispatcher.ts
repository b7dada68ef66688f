import { CHANNELS } from "../storage/channels.ts";
import {
  claimRuns,
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
    this.#lease.stopBeating();
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
    const limit = Math.min(this.#deps.workers.room, MAX_CLAIM);
    this.#wantsRoom = limit === 0;
    if (limit === 0) return; // the pool nudges when there is
    // The poll and many a nudge find nothing; a look costs less than a transaction.
    if (!(await hasReadyRun(this.#deps.database))) return;
    const claimed = await this.#deps.database.transaction((tx) =>
      claimRuns(tx, { owner: this.#lease.id, limit }),
    );
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
    const { database, log } = this.#deps;
    try {
      if (!database.isExclusive) await reapExpired(this.#deps);
      await this.#delays.look();
      for (const { run_id } of await listCancelled(database, this.#lease.id))
        this.#executions.get(run_id)?.stop("cancelled");
      this.nudge();
    } catch (cause) {
      log.error({ err: cause }, "the poll of the queue failed");
    }
  }
}
