import type { JsonObject } from "../../src/lib/json.ts";
import type { LedgerEntry, Operation, RunOperation } from "./ledger-entries.ts";

export interface ExpectedRun extends RunOperation {
  op: string;
  run_id: string;
}

/** What the ledger says about a thread that has been acknowledged. */
export interface ExpectedThread {
  thread_id: string;
  client: string;
  metadata: JsonObject;
  /** Certainly in the state. */
  log: string[];
  /** Beginnings of this may follow: what runs had still to write when the thread was copied, or its deletion was not answered. */
  loose: string[];
  /**
   * How much of `log`, from where, was in the state of a busy copy when it was
   * first read. LangGraph shows what a task has written before its step is
   * done, and drops it when a run with a new input starts from there.
   */
  unsure: { from: number; count: number };
  /** Accepted, and not known to have ended; what they write follows. */
  pending: ExpectedRun[];
  runs: ExpectedRun[];
  /** A copy of a thread that had runs to do: it may stand in the middle of one. */
  wasCopiedBusy: boolean;
  /** A deletion that was not answered may have stopped its runs. */
  isStopped: boolean;
  /** Where the ledger speaks of it last. */
  line: number;
}

export interface OpenOperation {
  op: string;
  client: string;
  operation: Operation;
  line: number;
}

/** What must be there, folded from the lines of a ledger. */
export class LedgerModel {
  readonly threads = new Map<string, ExpectedThread>();
  /** Thread -> the line that acknowledges its deletion. */
  readonly deleted = new Map<string, number>();
  /** Key of the client's own items in the store -> value. */
  readonly items = new Map<string, { value: JsonObject; line: number }>();
  readonly removedItems = new Map<string, number>();
  /** Asked and not answered. */
  readonly open = new Map<string, OpenOperation>();
  readonly durabilities = new Map<string, RunOperation["durability"]>();
  readonly #lines: LedgerEntry[] = [];

  static of(entries: Iterable<LedgerEntry>): LedgerModel {
    const model = new LedgerModel();
    for (const entry of entries) model.apply(entry);
    return model;
  }

  /** The line as it is in the ledger, for messages. */
  line(number: number): string {
    return `ledger line ${number} ${JSON.stringify(this.#lines[number - 1])}`;
  }

  threadsOf(client: string): ExpectedThread[] {
    return [...this.threads.values()].filter(
      (thread) => thread.client === client,
    );
  }

  apply(entry: LedgerEntry): void {
    const line = this.#lines.push(entry);
    if (entry.says === "asked") {
      this.open.set(entry.op, { ...entry, line });
      return;
    }
    if (entry.says === "finished") return this.#finish(entry.op, line);
    if (entry.says === "settled") {
      const thread = this.#thread(entry.thread);
      const unsure = unsureOf(thread, entry.log);
      Object.assign(thread, { log: entry.log, loose: [], unsure, line });
      return;
    }
    const asked = this.open.get(entry.op);
    if (asked === undefined) throw new Error(`${this.line(line)} was not open`);
    this.open.delete(entry.op);
    if (entry.says === "refused") return;
    if (entry.says === "done" || entry.happened)
      this.#happen(asked, entry, line);
    else if (asked.operation.kind === "delete")
      this.#stop(asked.operation.thread, line);
  }

  #happen(
    { op, client, operation }: OpenOperation,
    answer: { thread?: string; run_id?: string },
    line: number,
  ): void {
    switch (operation.kind) {
      case "create": {
        const { thread: thread_id, metadata, log } = operation;
        this.#add({ thread_id, client, metadata, log, line });
        return;
      }
      case "copy": {
        const source = this.#thread(operation.thread);
        const loose = entriesOf(source.pending);
        const wasCopiedBusy = source.wasCopiedBusy || loose.length > 0;
        const thread_id = answer.thread ?? "";
        const { metadata, log, unsure } = source;
        this.#add({
          thread_id,
          client,
          metadata,
          log,
          loose,
          line,
          wasCopiedBusy,
          unsure,
        });
        return;
      }
      case "delete":
        this.threads.delete(operation.thread);
        this.deleted.set(operation.thread, line);
        return;
      case "put":
        this.items.set(operation.key, { value: operation.value, line });
        this.removedItems.delete(operation.key);
        return;
      case "remove":
        this.items.delete(operation.key);
        this.removedItems.set(operation.key, line);
        return;
      default:
        this.#change(op, operation, answer.run_id ?? "");
        this.#thread(operation.thread).line = line;
    }
  }

  #change(
    op: string,
    operation: Extract<Operation, { kind: "update" | "patch" | "run" }>,
    run_id: string,
  ): void {
    const thread = this.#thread(operation.thread);
    if (operation.kind === "update")
      thread.log = [...thread.log, operation.entry];
    else if (operation.kind === "patch")
      thread.metadata = { ...thread.metadata, ...operation.metadata };
    else {
      const run = { ...operation, op, run_id };
      thread.pending.push(run);
      thread.runs.push(run);
      this.durabilities.set(op, operation.durability);
    }
  }

  #add(
    thread: Omit<
      ExpectedThread,
      "loose" | "unsure" | "pending" | "runs" | "wasCopiedBusy" | "isStopped"
    > &
      Partial<ExpectedThread>,
  ): void {
    this.threads.set(thread.thread_id, {
      loose: [],
      unsure: { from: 0, count: 0 },
      pending: [],
      runs: [],
      wasCopiedBusy: false,
      isStopped: false,
      ...thread,
    });
  }

  /** Runs of a thread go one after the other: those before it have ended too. */
  #finish(op: string, line: number): void {
    for (const thread of this.threads.values()) {
      const index = thread.pending.findIndex((run) => run.op === op);
      if (index < 0) continue;
      const ended = thread.pending.splice(0, index + 1);
      thread.log = [...thread.log, ...entriesOf(ended)];
      thread.line = line;
    }
  }

  #stop(threadId: string, line: number): void {
    const thread = this.#thread(threadId);
    thread.line = line;
    if (thread.pending.length === 0) return;
    thread.isStopped = true;
    thread.loose = entriesOf(thread.pending);
    thread.pending = [];
  }

  #thread(threadId: string): ExpectedThread {
    const thread = this.threads.get(threadId);
    if (thread === undefined)
      throw new Error(`the ledger has no thread ${threadId}`);
    return thread;
  }
}

/** Of a log that was read of a thread whose end was not known. */
function unsureOf(
  { wasCopiedBusy, log, unsure }: ExpectedThread,
  found: readonly string[],
): ExpectedThread["unsure"] {
  if (!wasCopiedBusy) return { from: log.length, count: 0 };
  const isKept = log.every((entry, index) => entry === found[index]);
  const isAtEnd = unsure.from + unsure.count === log.length;
  // What others have written behind it has become sure.
  const from = isKept && !isAtEnd ? log.length : log.length - unsure.count;
  return { from, count: found.length - from };
}

export const entriesOf = (runs: readonly ExpectedRun[]): string[] =>
  runs.flatMap((run) => run.entries);

/** What the log of the thread has when all that was accepted has been done. */
export const wholeLog = (thread: ExpectedThread): string[] => [
  ...thread.log,
  ...thread.loose,
  ...entriesOf(thread.pending),
];

/** The same, and without the end of what is unsure: what comes before a step that was done has become sure unseen. */
export const wholeLogs = (thread: ExpectedThread): string[][] => {
  const whole = wholeLog(thread);
  const { from, count } = thread.unsure;
  return Array.from({ length: count + 1 }, (_, dropped) =>
    whole.toSpliced(from + count - dropped, dropped),
  );
};

/** Whether the thread may have this log now. */
export function mayHave(
  thread: ExpectedThread,
  log: readonly string[],
): boolean {
  const least = thread.log.length;
  return wholeLogs(thread).some((whole, dropped) =>
    isBeginning(log, whole, least - dropped),
  );
}

const isBeginning = (
  log: readonly string[],
  whole: readonly string[],
  least: number,
): boolean =>
  log.length >= least &&
  log.length <= whole.length &&
  log.every((entry, index) => entry === whole[index]);
