import { randomUUID } from "node:crypto";
import { join } from "node:path";
import type { JsonObject } from "../../src/lib/json.ts";
import type { Operation } from "../support/ledger-entries.ts";
import {
  mayHave,
  wholeLog,
  type ExpectedThread,
} from "../support/ledger-model.ts";
import type { Random } from "../support/random.ts";
import type { Served } from "../support/served.ts";
import { Contradiction, type Chronicle } from "./chronicle.ts";
import { requestFor } from "./load-requests.ts";
import { isRefusal } from "./refusals.ts";

const MAX_THREADS = 8;
const MAX_LOG = 40;
const MAX_ITEMS = 12;

/** It may be tried again, so nothing of it has happened. */
class Refused extends Error {}

/** The connection broke. What was asked may have happened. */
class Unanswered extends Error {}

/** Resolves when it is written down what became of all that the client has asked. */
export type OnBreak = (client: string) => Promise<void>;

interface Answer {
  headers: Headers;
  text: string;
}

/**
 * A client with threads and store items of its own, so that it knows what is
 * in them: it does one thing after the other, and writes down what it asks and
 * what it is told. Its answers must agree with what it was told before.
 */
export class LoadClient {
  readonly #server: Served;
  readonly #onBreak: OnBreak | null;
  readonly #chronicle: Chronicle;
  readonly #random: Random;
  readonly #name: string;
  #count = 0;

  constructor(params: {
    server: Served;
    onBreak: OnBreak | null;
    chronicle: Chronicle;
    random: Random;
    name: string;
  }) {
    this.#server = params.server;
    this.#onBreak = params.onBreak;
    this.#chronicle = params.chronicle;
    this.#random = params.random;
    this.#name = params.name;
  }

  /** Until the signal, or until the server does not answer and nobody knows what to do then. */
  async work(signal: AbortSignal): Promise<void> {
    while (!signal.aborted)
      try {
        await this.#step();
      } catch (error) {
        if (error instanceof Refused) continue;
        if (!(error instanceof Unanswered)) throw error;
        if (this.#onBreak === null) return;
        await this.#onBreak(this.#name);
      }
  }

  async #step(): Promise<void> {
    const threads = this.#model.threadsOf(this.#name);
    const thread = this.#random.pick([...threads, null]);
    if (thread === null && threads.length < MAX_THREADS) await this.#create();
    else if (thread === null) await this.#store();
    else if (thread.isStopped || thread.log.length > MAX_LOG)
      await this.#do({ kind: "delete", thread: thread.thread_id });
    else if (thread.loose.length > 0) await this.#settle(thread);
    else await this.#use(thread, threads.length);
  }

  get #model() {
    return this.#chronicle.model;
  }

  async #create(): Promise<void> {
    const thread = randomUUID();
    const length = this.#random.pick([0, 0, 1, 3, 6]);
    const log = Array.from({ length }, (_, n) => `${thread}/${n}`);
    const metadata = {
      graph_id: "journal",
      chaos: this.#name,
      supersteps: length,
    };
    await this.#do({ kind: "create", thread, metadata, log });
  }

  async #store(): Promise<void> {
    const key = `${this.#name}-${this.#random.between(0, MAX_ITEMS)}`;
    if (this.#random.next() < 0.3) await this.#do({ kind: "remove", key });
    else await this.#do({ kind: "put", key, value: { by: this.#op("value") } });
  }

  async #use(thread: ExpectedThread, threadCount: number): Promise<void> {
    const isBusy = thread.pending.length > 0;
    const { thread_id } = thread;
    const choice = this.#random.weighted({
      run: 4,
      join: isBusy ? 2 : 0,
      update: isBusy ? 0 : 5,
      read: 2,
      patch: 2,
      copy: threadCount < MAX_THREADS ? 2 : 0,
      delete: 1,
      store: 2,
    });
    if (choice === "run") await this.#startRun(thread);
    else if (choice === "join") await this.#join(thread);
    else if (choice === "read") await this.#read(thread);
    else if (choice === "store") await this.#store();
    else if (choice === "update")
      await this.#do({
        kind: "update",
        thread: thread_id,
        entry: this.#op("entry"),
      });
    else if (choice === "patch")
      await this.#do({
        kind: "patch",
        thread: thread_id,
        metadata: { [this.#random.pick(["a", "b", "c"])]: this.#op("value") },
      });
    else await this.#do({ kind: choice, thread: thread_id });
  }

  async #startRun(thread: ExpectedThread): Promise<void> {
    const { thread_id } = thread;
    const run = this.#op("run");
    const steps = this.#random.between(1, 5);
    const operation: Operation & { kind: "run" } = {
      kind: "run",
      thread: thread_id,
      mode: this.#random.pick(["background", "wait", "stream"]),
      durability: this.#random.pick(["sync", "sync", "async", "exit"]),
      entries: Array.from({ length: steps + 1 }, (_, n) => `${run}/${n}`),
      notes: join(this.#server.directory, `${run}.notes`),
    };
    const text = await this.#do(operation, run);
    if (operation.mode === "background") return;
    // The connection stayed until the end of the run.
    this.#finished(thread, run);
    if (operation.mode === "wait") this.#expectLog(thread, logIn(text));
    else this.#expectStream(thread, operation.entries.slice(1), text);
  }

  /** Waits for the last of the runs that were started in the background. */
  async #join(thread: ExpectedThread): Promise<void> {
    const { op, run_id } = thread.pending.at(-1) ?? { op: "", run_id: "" };
    const text = await this.#get(thread, `/runs/${run_id}/join`);
    this.#finished(thread, op);
    this.#expectLog(thread, logIn(text));
  }

  async #read(thread: ExpectedThread): Promise<string[]> {
    const text = await this.#get(thread, "/state");
    const log = logIn((JSON.parse(text) as { values: unknown }).values);
    this.#expectLog(thread, log);
    return log;
  }

  async #settle(thread: ExpectedThread): Promise<void> {
    const log = await this.#read(thread);
    this.#chronicle.record({
      op: this.#op("read"),
      client: this.#name,
      says: "settled",
      thread: thread.thread_id,
      log,
    });
  }

  /** Returns the text of the answer, once it has all come. */
  async #do(operation: Operation, op = this.#op("op")): Promise<string> {
    const client = this.#name;
    this.#chronicle.record({ op, client, says: "asked", operation });
    const line = this.#model.open.get(op)?.line ?? 0;
    const { method, path, body } = requestFor(operation, op);
    const acknowledge = ({ headers, text }: Answer) =>
      this.#chronicle.record({
        op,
        client,
        says: "done",
        ...answered(operation, headers, text),
      });
    const answer = this.#send(line, method, path, {
      body,
      // A run is accepted when the head of its answer is here.
      ...(operation.kind === "run" ? { onHead: acknowledge } : {}),
      ...(operation.kind === "run" ? {} : { onEnd: acknowledge }),
    });
    const { text } = await answer.catch((error: unknown) => {
      if (error instanceof Refused)
        this.#chronicle.record({ op, client, says: "refused" });
      throw error;
    });
    return text;
  }

  async #get(thread: ExpectedThread, path: string): Promise<string> {
    const { thread_id, line } = thread;
    return (await this.#send(line, "GET", `/threads/${thread_id}${path}`)).text;
  }

  async #send(
    line: number,
    method: string,
    path: string,
    options: {
      body?: JsonObject | undefined;
      onHead?: (answer: Answer) => void;
      onEnd?: (answer: Answer) => void;
    } = {},
  ): Promise<Answer> {
    const response = await this.#server
      .send(method, path, options.body)
      .catch(unanswered);
    const { headers } = response;
    if (response.ok) options.onHead?.({ headers, text: "" });
    const text = await response.text().catch(unanswered);
    if (isRefusal(response.status, text)) throw new Refused();
    if (!response.ok) {
      const problem = `${method} ${path} answered ${response.status}: ${text}`;
      throw new Contradiction(this.#model, line, problem);
    }
    const answer = { headers, text };
    options.onEnd?.(answer);
    return answer;
  }

  #finished(thread: ExpectedThread, op: string): void {
    this.#chronicle.record({ op, client: this.#name, says: "finished" });
    if (thread.pending.length === 0 && thread.loose.length === 0) return;
    throw new Contradiction(this.#model, thread.line, "runs are left");
  }

  #expectLog(thread: ExpectedThread, log: string[]): void {
    if (mayHave(thread, log)) return;
    const problem = `thread ${thread.thread_id} has the log ${JSON.stringify(log)} and must have ${JSON.stringify(wholeLog(thread))}, of it at least ${thread.log.length}`;
    throw new Contradiction(this.#model, thread.line, problem);
  }

  /** Each step is there, in order; a step whose worker died may have been streamed by two attempts. */
  #expectStream(thread: ExpectedThread, entries: string[], text: string): void {
    const told = new Set(
      [...text.matchAll(/"log":\["([^"]+)"\]/g)].map(([, entry]) => entry),
    );
    const isWhole = text.includes('"status":"success"');
    if (isWhole && JSON.stringify([...told]) === JSON.stringify(entries))
      return;
    throw new Contradiction(
      this.#model,
      thread.line,
      `a stream of ${JSON.stringify(entries)} had ${JSON.stringify(text)}`,
    );
  }

  #op(what: string): string {
    this.#count += 1;
    return `${this.#name}-${what}-${this.#count}`;
  }
}

const unanswered = (cause: unknown): never => {
  throw new Unanswered("no answer", { cause });
};

/** What the client learns from the answer. */
function answered(
  operation: Operation,
  headers: Headers,
  text: string,
): { thread?: string; run_id?: string } {
  if (operation.kind === "copy") {
    const { thread_id } = JSON.parse(text) as { thread_id: string };
    return { thread: thread_id };
  }
  if (operation.kind !== "run") return {};
  const run_id = headers.get("content-location")?.split("/").at(-1) ?? "";
  return { run_id };
}

/** The log in the values of a thread, which has none before its first checkpoint. */
export function logIn(values: unknown): string[] {
  const state = (typeof values === "string" ? JSON.parse(values) : values) as {
    log?: string[];
  } | null;
  return state?.log ?? [];
}
