import { Worker } from "node:worker_threads";
import { deferred, type Deferred } from "../lib/deferred.ts";
import type { AsideAnswer, AsideQuestion } from "./sqlite-aside-thread.ts";
import type { SqliteDriver } from "./sqlite-driver.ts";

type Row = Record<string, unknown>;

const THREAD = new URL(
  import.meta.url.replace(/sqlite-aside(\.\w+)$/, "sqlite-aside-thread$1"),
);

/** From the sources, as in tests, the thread compiles for itself. */
const LOADER = THREAD.pathname.endsWith(".ts")
  ? { execArgv: ["--import", "@oxc-node/core/register"] }
  : {};

/** A thread that reads, for statements that would keep the event loop. It starts with the first. */
export class SqliteAside {
  readonly #file: { path: string; driver: SqliteDriver["name"] };
  readonly #asked = new Map<number, Deferred<Row[]>>();
  #thread: Worker | null = null;
  #count = 0;
  #hasVectors = false;
  #isClosed = false;

  constructor(file: { path: string; driver: SqliteDriver["name"] }) {
    this.#file = file;
  }

  async query<R>(text: string, values: unknown[]): Promise<R[]> {
    return (await this.#ask({ text, values })) as R[];
  }

  async enableVectors(): Promise<void> {
    await this.#ask("vectors");
    this.#hasVectors = true;
  }

  /** What was asked is answered first. */
  async close(): Promise<void> {
    // A thread that has ended meanwhile has nothing to close.
    if (this.#thread !== null) await this.#ask("close").catch(() => {});
    this.#isClosed = true;
    await this.#thread?.terminate();
  }

  #ask(question: AsideQuestion["question"]): Promise<Row[]> {
    if (this.#isClosed)
      return Promise.reject(new Error("the database is closed"));
    const answer = deferred<Row[]>();
    const id = (this.#count += 1);
    this.#asked.set(id, answer);
    this.#started().postMessage({ id, question } satisfies AsideQuestion);
    return answer.promise;
  }

  #started(): Worker {
    if (this.#thread !== null) return this.#thread;
    const thread = new Worker(THREAD, {
      workerData: this.#file,
      ...LOADER,
    });
    thread.on("message", (answer: AsideAnswer) => this.#hear(answer));
    thread.on("error", (cause) => this.#lose(thread, cause));
    thread.on("exit", () => this.#lose(thread, new Error("the thread ended")));
    this.#thread = thread;
    // One that takes the place of another must know what that one knew.
    if (this.#hasVectors) void this.#ask("vectors").catch(() => {}); // whoever needs them hears of it
    return thread;
  }

  #hear(answer: AsideAnswer): void {
    const asked = this.#asked.get(answer.id);
    this.#asked.delete(answer.id);
    if ("error" in answer) asked?.reject(answer.error);
    else asked?.resolve(answer.rows);
  }

  /** The next question starts another. */
  #lose(thread: Worker, cause: unknown): void {
    if (this.#thread !== thread) return;
    this.#thread = null;
    for (const asked of this.#asked.values()) asked.reject(cause);
    this.#asked.clear();
  }
}
