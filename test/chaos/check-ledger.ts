import { isDeepStrictEqual } from "node:util";
import type { JsonObject } from "../../src/lib/json.ts";
import { readNotes, repeatedAfterStored } from "../support/diary.ts";
import {
  mayHave,
  wholeLog,
  wholeLogs,
  type ExpectedThread,
  type LedgerModel,
} from "../support/ledger-model.ts";
import { Contradiction } from "./chronicle.ts";
import { CLIENT_ITEMS, GRAPH_ITEMS } from "./load-requests.ts";
import type {
  FoundCheckpoint,
  FoundThread,
  WhatIsThere,
} from "./what-is-there.ts";

interface CheckOptions {
  /** Every run has had the time to end, so every run must have. */
  isAtRest: boolean;
}

/** Threads that are read side by side. */
const AT_ONCE = 8;

/** Throws Contradiction for the first thing that is not as the ledger says. */
export async function checkLedger(
  model: LedgerModel,
  there: WhatIsThere,
  options: CheckOptions,
): Promise<void> {
  await checkWhichThreads(model, there);
  const threads = [...model.threads.values()];
  const entries = new Map<string, ExpectedThread>();
  while (threads.length > 0)
    await Promise.all(
      threads.splice(0, AT_ONCE).map(async (thread) => {
        const found = await there.thread(thread.thread_id);
        if (found === null)
          throw new Contradiction(
            model,
            thread.line,
            "the thread is not there",
          );
        new ThreadCheck(model, thread, found).check(options);
        for (const entry of found.log) entries.set(entry, thread);
      }),
    );
  await checkItems(model, there, entries);
}

async function checkWhichThreads(
  model: LedgerModel,
  there: WhatIsThere,
): Promise<void> {
  const ids = await there.threadIds();
  for (const { thread_id, line } of model.threads.values())
    if (!ids.has(thread_id))
      throw new Contradiction(model, line, `thread ${thread_id} is not listed`);
  for (const [id, line] of model.deleted)
    if (ids.has(id))
      throw new Contradiction(model, line, `thread ${id} is there again`);
  for (const id of ids)
    if (!model.threads.has(id))
      throw new Error(`nobody has ever made the thread ${id}`);
}

async function checkItems(
  model: LedgerModel,
  there: WhatIsThere,
  entries: Map<string, ExpectedThread>,
): Promise<void> {
  const items = await there.items(CLIENT_ITEMS);
  for (const [key, { value, line }] of model.items)
    if (!isDeepStrictEqual(items.get(key), value))
      throw new Contradiction(
        model,
        line,
        `item ${key} is ${JSON.stringify(items.get(key))}`,
      );
  for (const key of items.keys())
    if (!model.items.has(key)) {
      const line = model.removedItems.get(key);
      if (line === undefined) throw new Error(`nobody has ever put ${key}`);
      throw new Contradiction(model, line, `item ${key} is there again`);
    }
  // A step puts its item before its entry gets into the log.
  const written = await there.items(GRAPH_ITEMS);
  for (const [entry, { line }] of entries)
    if (isOfStep(model, entry) && !written.has(entry))
      throw new Contradiction(model, line, `${entry} is not in the store`);
}

class ThreadCheck {
  readonly #model: LedgerModel;
  readonly #thread: ExpectedThread;
  readonly #found: FoundThread;

  constructor(model: LedgerModel, thread: ExpectedThread, found: FoundThread) {
    this.#model = model;
    this.#thread = thread;
    this.#found = found;
  }

  check({ isAtRest }: CheckOptions): void {
    this.#metadata();
    this.#log();
    this.#runs();
    this.#history();
    if (isAtRest) this.#rest();
    this.#notes();
  }

  #metadata(): void {
    const { metadata } = this.#found;
    const wanted = this.#thread.metadata;
    this.#require(
      isDeepStrictEqual(ownKeys(metadata), ownKeys(wanted)),
      () => `has the metadata ${text(metadata)} instead of ${text(wanted)}`,
    );
  }

  #log(): void {
    const { log } = this.#found;
    this.#require(
      mayHave(this.#thread, log),
      () =>
        `has the log ${text(log)} and must have ${text(wholeLog(this.#thread))}, of it at least ${this.#thread.log.length}`,
    );
  }

  #runs(): void {
    const { runs } = this.#found;
    const { runs: wanted, isStopped } = this.#thread;
    // Newest first.
    const ops = runs.map(({ op, run_id }) => `${op} ${run_id}`).reverse();
    this.#require(
      isDeepStrictEqual(
        ops,
        wanted.map(({ op, run_id }) => `${op} ${run_id}`),
      ),
      () => `has the runs ${text(ops)} instead of ${text(wanted)}`,
    );
    const allowed = ["pending", "running", "success"];
    if (isStopped) allowed.push("interrupted");
    const odd = runs.filter(({ status }) => !allowed.includes(status));
    this.#require(odd.length === 0, () => `has the runs ${text(odd)}`);
  }

  /** One chain without holes, on which each checkpoint adds one step to the one before. */
  #history(): void {
    const { history } = this.#found;
    for (const [index, checkpoint] of history.entries()) {
      const before = history[index + 1] ?? null;
      this.#require(
        checkpoint.parent === (before?.id ?? null),
        () =>
          `has a hole in its history: ${checkpoint.id} comes after ${checkpoint.parent}, found ${before?.id}`,
      );
      this.#require(
        this.#isOneStep(checkpoint, before?.log ?? []),
        () =>
          `has lost checkpoints: ${text(checkpoint.log)} comes after ${text(before?.log)}`,
      );
    }
  }

  #isOneStep({ log }: FoundCheckpoint, before: string[]): boolean {
    if (!before.every((entry, index) => log[index] === entry)) return false;
    const added = log.slice(before.length);
    if (added.length <= 1) return true;
    // Copied when a step had written and its checkpoint was not made yet: LangGraph puts that into the next one.
    if (this.#thread.wasCopiedBusy && added.length === 2) return true;
    // A run that saves at its end only.
    const runs = new Set(added.map(runOf));
    const [run = ""] = runs;
    return runs.size === 1 && this.#model.durabilities.get(run) === "exit";
  }

  #rest(): void {
    const { status, log, shownLog, runs } = this.#found;
    const { loose, isStopped } = this.#thread;
    this.#require(
      status === "idle" ||
        (status === "interrupted" && isPartial(this.#thread)),
      () => `is ${status} with the runs ${text(runs)}`,
    );
    if (loose.length > 0) return; // how far it got is not known
    const open = runs.filter((run) => run.status !== "success");
    this.#require(open.length === 0 || isStopped, () => `has ${text(open)}`);
    this.#require(
      wholeLogs(this.#thread).some((whole) => isDeepStrictEqual(log, whole)),
      () =>
        `has ended with ${text(log)} instead of ${text(wholeLog(this.#thread))}`,
    );
    this.#require(
      isDeepStrictEqual(shownLog, log) || isPartial(this.#thread),
      () => `shows ${text(shownLog)} and its state is ${text(log)}`,
    );
  }

  /** With `durability: "sync"` a step that was stored never runs again. */
  #notes(): void {
    for (const { op, durability, notes } of this.#thread.runs) {
      if (durability !== "sync") continue;
      const repeated = repeatedAfterStored(readNotes(notes));
      this.#require(
        repeated.length === 0,
        () => `has run the steps ${text(repeated)} of ${op} again`,
      );
    }
  }

  #require(holds: boolean, problem: () => string): void {
    if (holds) return;
    const { thread_id, line } = this.#thread;
    throw new Contradiction(
      this.#model,
      line,
      `thread ${thread_id} ${problem()}`,
    );
  }
}

/** What runs and copies put into the metadata themselves. */
const OF_THE_SERVER = new Set(["assistant_id", "graph_id", "thread_id"]);

const ownKeys = (metadata: JsonObject): JsonObject =>
  Object.fromEntries(
    Object.entries(metadata).filter(([key]) => !OF_THE_SERVER.has(key)),
  );

/** Copied in the middle of a run: it has steps to do that nobody will do, until its next run. */
const isPartial = (thread: ExpectedThread): boolean =>
  thread.wasCopiedBusy && thread.runs.length === 0;

/** Neither what a client put into the state itself nor the input of a run. */
const isOfStep = (model: LedgerModel, entry: string): boolean =>
  model.durabilities.has(runOf(entry)) && !entry.endsWith("/0");

/** `<run>/<step>` */
const runOf = (entry: string): string => entry.split("/")[0] ?? "";

const text = (value: unknown): string => JSON.stringify(value);
