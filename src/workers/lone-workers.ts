import type { RunExecution } from "../protocol/run-frames.ts";
import { attemptOutcome, type AttemptOutcome } from "./attempt.ts";
import type { WorkerHandle } from "./worker-handle.ts";

interface LoneRun {
  /** Null while it waits for its turn. */
  worker: WorkerHandle | null;
  isEnded: boolean;
}

/**
 * Workers of one run each, for runs whose workers have died again and again:
 * who shares a process with the culprit is not to pay for it.
 */
export class LoneWorkers {
  readonly #launch: () => WorkerHandle;
  readonly #limit: number;
  readonly #runs = new Map<string, LoneRun>();
  #alive = 0;
  #waiting: (() => void)[] = [];

  /** `limit`: processes at once; further runs wait. */
  constructor(launch: () => WorkerHandle, limit: number) {
    this.#launch = launch;
    this.#limit = limit;
  }

  /** Never rejects. */
  async execute(run: RunExecution): Promise<AttemptOutcome> {
    const lone: LoneRun = { worker: null, isEnded: false };
    this.#runs.set(run.run_id, lone);
    while (this.#alive >= this.#limit && !lone.isEnded)
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    const outcome: AttemptOutcome = lone.isEnded
      ? { status: "worker died", byUs: true, company: new Set([run.run_id]) }
      : await this.#executeIn(lone, run);
    this.#runs.delete(run.run_id);
    this.#wake();
    return outcome;
  }

  /** Null when the run is not executed here, or not yet. */
  workerOf(runId: string): WorkerHandle | null {
    return this.#runs.get(runId)?.worker ?? null;
  }

  end(runId: string): void {
    const lone = this.#runs.get(runId);
    if (lone === undefined) return;
    lone.isEnded = true;
    lone.worker?.end();
    this.#wake();
  }

  async close(): Promise<void> {
    const workers = [...this.#runs.values()].flatMap(
      ({ worker }) => worker ?? [],
    );
    for (const runId of this.#runs.keys()) this.end(runId);
    await Promise.all(workers.map((worker) => worker.exited));
  }

  async #executeIn(lone: LoneRun, run: RunExecution): Promise<AttemptOutcome> {
    this.#alive += 1;
    try {
      const worker = this.#launch();
      lone.worker = worker;
      await worker.loaded;
      return await attemptOutcome(worker, run);
    } catch (cause) {
      // There is no process to be had, or none that can load the project: not the run's doing.
      return { status: "server failed", message: (cause as Error).message };
    } finally {
      lone.worker?.kill();
      this.#alive -= 1;
    }
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }
}
