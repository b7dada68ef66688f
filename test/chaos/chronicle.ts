import { join } from "node:path";
import { Ledger } from "../support/ledger.ts";
import type { LedgerEntry, Operation } from "../support/ledger-entries.ts";
import { LedgerModel } from "../support/ledger-model.ts";

/** The ledger on disk and what follows from it, always in step. */
export class Chronicle {
  readonly model = new LedgerModel();
  readonly #ledger: Ledger<LedgerEntry>;
  #acknowledged = 0;
  readonly #askedAt = new Map<string, number>();
  readonly #durations = new Map<Operation["kind"], number>();
  readonly #counts = new Map<string, number>();

  constructor(directory: string) {
    this.#ledger = new Ledger(join(directory, "ledger.jsonl"));
  }

  record(entry: LedgerEntry): void {
    const kind = this.model.open.get(entry.op)?.operation.kind;
    this.#time(entry, kind);
    if (entry.says === "asked") this.#ledger.note(entry);
    else this.#ledger.record(entry);
    this.model.apply(entry);
    if (entry.says === "done") {
      this.#acknowledged += 1;
      this.#count(`${kind} done`);
    }
    if (entry.says === "found")
      this.#count(entry.happened ? "unknown, done" : "unknown, not done");
  }

  /** How long the last operation of this kind took until it was acknowledged, in ms. */
  durationOf(kind: Operation["kind"]): number {
    return this.#durations.get(kind) ?? 20;
  }

  /** How many operations have been acknowledged. */
  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** How much there was of what, so that a test can see that it has tested something. */
  counts(): Record<string, number> {
    return Object.fromEntries([...this.#counts].sort());
  }

  /** What must be there by the ledger alone, as it is on the disk. */
  reread(): LedgerModel {
    return LedgerModel.of(this.#ledger.entries());
  }

  [Symbol.dispose](): void {
    this.#ledger[Symbol.dispose]();
  }

  #time({ op, says }: LedgerEntry, kind: Operation["kind"] | undefined): void {
    if (says === "asked") this.#askedAt.set(op, performance.now());
    if (says !== "done" || kind === undefined) return;
    this.#durations.set(kind, performance.now() - (this.#askedAt.get(op) ?? 0));
    this.#askedAt.delete(op);
  }

  #count(what: string): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1);
  }
}

/** What is there is not what the ledger says. */
export class Contradiction extends Error {
  override name = "Contradiction";

  constructor(model: LedgerModel, line: number, found: string) {
    super(`${found}\n  ${model.line(line)}`);
  }
}
