import { extname } from "node:path";
import { Worker } from "node:worker_threads";
import { deferred } from "../../lib/deferred.ts";
import type { ExtractParams, Extraction } from "./extract-schemas.ts";

export type ThreadAnswer =
  { extraction: Extraction } | { failure: Error | string };

/** For the next graph of the same project the compiler needs a fifth of the time; its memory is 200 MB. */
const IDLE_MS = 10_000;

/** Runs the compiler on a thread of its own, one graph at a time. */
export class SchemaCompiler {
  readonly #timeoutMs: number;
  #thread: Worker | null = null;
  #idle: NodeJS.Timeout | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(params: { timeoutMs: number }) {
    this.#timeoutMs = params.timeoutMs;
  }

  /** Rejects when the compiler fails, or takes longer than it may. The wait for other graphs does not count. */
  extract(params: ExtractParams): Promise<Extraction> {
    const result = this.#last.then(() => this.#run(params));
    this.#last = result.catch(() => {});
    return result;
  }

  async #run(params: ExtractParams): Promise<Extraction> {
    clearTimeout(this.#idle);
    const thread = (this.#thread ??= startThread());
    try {
      const answer = await ask(thread, params, this.#timeoutMs);
      if ("failure" in answer) throw answer.failure;
      this.#idle = setTimeout(() => this.#stop(thread), IDLE_MS).unref();
      return answer.extraction;
    } catch (cause) {
      this.#stop(thread); // its state is unknown, or it is still at work
      throw cause;
    }
  }

  #stop(thread: Worker): void {
    if (this.#thread === thread) this.#thread = null;
    void thread.terminate();
  }
}

/** In a source tree the thread has to be able to read TypeScript, as this file was. */
function startThread(): Worker {
  const extension = extname(import.meta.url);
  const loader = import.meta.resolve("@oxc-node/core/register");
  return new Worker(new URL(`./schema-thread${extension}`, import.meta.url), {
    execArgv: extension === ".ts" ? ["--import", loader] : [],
  });
}

function ask(
  thread: Worker,
  params: ExtractParams,
  timeoutMs: number,
): Promise<ThreadAnswer> {
  const answer = deferred<ThreadAnswer>();
  const onExit = (code: number) =>
    answer.reject(new Error(`the compiler ended with exit code ${code}`));
  const tooLong = new Error(
    `the compiler took longer than ${timeoutMs} ms; raise LANGGRAPH_SCHEMA_RESOLVE_TIMEOUT_MS`,
  );
  const timer = setTimeout(() => answer.reject(tooLong), timeoutMs);
  thread.once("message", answer.resolve);
  thread.once("error", answer.reject);
  thread.once("exit", onExit);
  thread.ref();
  thread.postMessage(params);
  return answer.promise.finally(() => {
    clearTimeout(timer);
    thread.off("message", answer.resolve);
    thread.off("error", answer.reject);
    thread.off("exit", onExit);
    thread.unref(); // an idle compiler keeps no process alive
  });
}
