import type { Logger } from "../lib/logger.ts";
import type { WorkerHandle } from "./worker-handle.ts";

/** How often a worker with runs is asked whether its event loop turns. */
const PING_MS = 500;

/** Without an answer for that long it is blocked: a graph of it keeps the CPU. */
const BLOCKED_MS = 1000;

/** The worker may be well again in a moment, but who asks is not to wait for that. */
export class WorkerBlockedError extends Error {
  override readonly name = "WorkerBlockedError";
}

interface LivenessParams {
  workers: () => readonly WorkerHandle[];
  log: Logger;
  /** A worker is blocked, or is not any more. */
  onChange: () => void;
}

/** Finds out which workers are blocked by the graphs that they run, and says so in `blocked` of their handles. */
export class Liveness implements Disposable {
  readonly #params: LivenessParams;
  readonly #asked = new WeakSet<WorkerHandle>();
  readonly #timer: NodeJS.Timeout;

  constructor(params: LivenessParams) {
    this.#params = params;
    this.#timer = setInterval(() => this.#look(), PING_MS);
    this.#timer.unref();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    for (const worker of this.#params.workers())
      if (worker.runs.size > 0 && !this.#asked.has(worker))
        void this.#ping(worker);
  }

  async #ping(worker: WorkerHandle): Promise<void> {
    const { log, onChange } = this.#params;
    this.#asked.add(worker);
    const timer = setTimeout(() => {
      worker.blocked.abort(new WorkerBlockedError("a graph keeps its CPU"));
      log.warn(
        { pid: worker.pid, runs: [...worker.runs] },
        "a graph keeps the CPU of its worker, which gets no new work until it answers again",
      );
      onChange();
    }, BLOCKED_MS);
    await worker.ping().catch(() => {}); // it died: others see to that
    clearTimeout(timer);
    this.#asked.delete(worker);
    if (!worker.blocked.signal.aborted) return;
    worker.blocked = new AbortController();
    onChange();
  }
}

/** The answer, or a WorkerBlockedError as soon as the worker turns out to be blocked. */
export async function unlessBlocked<T>(
  { blocked: { signal } }: WorkerHandle,
  answer: Promise<T>,
): Promise<T> {
  let give: () => void = () => {};
  const blocked = new Promise<never>((_, reject) => {
    give = () => reject(signal.reason as Error);
    signal.addEventListener("abort", give);
  });
  try {
    return await Promise.race([answer, blocked]);
  } finally {
    signal.removeEventListener("abort", give);
  }
}
