import { setTimeout as delay } from "node:timers/promises";
import { expect } from "vitest";
import type { Operation } from "../support/ledger-entries.ts";
import { Random } from "../support/random.ts";
import type { Served } from "../support/served.ts";
import { waitFor } from "../support/wait.ts";
import { Chronicle } from "./chronicle.ts";
import { LoadClient, type OnBreak } from "./load-client.ts";
import { SEED } from "./seed.ts";

const CLIENTS = Number(process.env["CHAOS_CLIENTS"] ?? 6);

const KINDS: Operation["kind"][] = [
  ...(["create", "update", "patch", "copy", "delete"] as const),
  ...(["run", "put", "remove"] as const),
];

/** Clients that create, change, copy, run and delete threads and store items, all at once, until they are told to stop. */
export class Load {
  readonly random = new Random(SEED);
  readonly chronicle: Chronicle;
  readonly #clients: LoadClient[];
  readonly #failure = new AbortController();

  /** Without `onBreak` a client whose connection breaks is done. */
  constructor(server: Served, onBreak: OnBreak | null = null) {
    this.chronicle = new Chronicle(server.directory);
    const { chronicle } = this;
    this.#clients = Array.from(
      { length: CLIENTS },
      (_, n) =>
        new LoadClient({
          server,
          onBreak,
          chronicle,
          random: new Random(SEED + n + 1),
          name: `c${n}`,
        }),
    );
  }

  /** Aborted when a client has seen what may not be. */
  get failed(): AbortSignal {
    return this.#failure.signal;
  }

  /** Under load while `work` lasts. Rejects with what a client saw and may not have seen. */
  async during(work: () => Promise<void>): Promise<void> {
    const stop = new AbortController();
    const clients = this.#clients.map((client) =>
      client.work(stop.signal).catch((error: unknown) => {
        this.#failure.abort();
        throw error;
      }),
    );
    // A client that has failed ends its own loop; the others go on until the work is done.
    const outcomes = Promise.allSettled(clients);
    try {
      await work();
    } finally {
      stop.abort();
      await outcomes;
    }
    await Promise.all(clients);
  }

  /** Some more operations have been acknowledged. */
  async someMore(from: number, to: number): Promise<void> {
    const wanted = this.chronicle.acknowledged + this.random.between(from, to);
    await waitFor(
      "clients get on with their work",
      () => this.failed.aborted || this.chronicle.acknowledged >= wanted,
      { timeoutMs: 90_000, everyMs: 5 },
    );
  }

  /** Any moment while an operation of some kind, which is picked, is under way. */
  async amidSomething(): Promise<void> {
    const kind = this.random.pick(KINDS);
    const { open } = this.chronicle.model;
    const earlier = new Set(open.keys());
    const giveUp = Date.now() + 500;
    const isUnderWay = () =>
      [...open.values()].some(
        ({ op, operation }) => operation.kind === kind && !earlier.has(op),
      );
    while (!isUnderWay() && Date.now() < giveUp) await delay(1);
    await delay(this.random.next() * this.chronicle.durationOf(kind));
  }

  /** A test that has tested nothing fails. */
  expectOfEverything(): void {
    const counts = this.chronicle.counts();
    for (const kind of KINDS)
      expect(counts[`${kind} done`], `operations "${kind}"`).toBeGreaterThan(0);
  }

  [Symbol.dispose](): void {
    this.chronicle[Symbol.dispose]();
  }
}

/** Every run that was accepted has the time to end. */
export async function untilIdle(server: Served): Promise<void> {
  await waitFor(
    "every accepted run has ended",
    async () => (await server.client.threads.count({ status: "busy" })) === 0,
    { timeoutMs: 45_000, everyMs: 50 },
  );
}
