import type { WorkerHandle } from "./worker-handle.ts";

/** Loading a project takes a second or so; who has asked often asks again. */
const IDLE_MS = 30_000;

/**
 * A worker without runs, which answers questions while all the others are
 * blocked by graphs that keep their CPU. It comes when it is needed, and goes
 * when it has not been for a while.
 */
export class StandIn {
  readonly #launch: () => WorkerHandle;
  #worker: WorkerHandle | null = null;
  #timer: NodeJS.Timeout | null = null;

  constructor(launch: () => WorkerHandle) {
    this.#launch = launch;
  }

  /** Resolves when it has loaded the project; rejects when it dies before. */
  async worker(): Promise<WorkerHandle> {
    if (this.#worker === null || this.#worker.state === "gone")
      this.#worker = this.#launch();
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.retire(), IDLE_MS).unref();
    await this.#worker.loaded;
    return this.#worker;
  }

  /** It ends with its last answer; the next one loads the project anew. */
  retire(): void {
    this.#worker?.retire();
    this.#worker = null;
  }

  async close(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#worker?.kill();
    await this.#worker?.exited;
  }
}
