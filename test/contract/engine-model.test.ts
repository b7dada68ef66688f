import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import { ANONYMOUS } from "../../src/auth/caller.ts";
import { promoteDueRuns, reapExpired } from "../../src/engine/recovery.ts";
import { AppError } from "../../src/model/errors.ts";
import { cancelRun } from "../../src/services/cancel-run.ts";
import { removeRun } from "../../src/services/remove-run.ts";
import { deleteThread } from "../../src/services/thread-delete.ts";
import { LeaseLostError } from "../../src/storage/checkpoints.ts";
import { extendLease } from "../../src/storage/queue-news.ts";
import { handBackRun, type ClaimedRun } from "../../src/storage/run-queue.ts";
import { sql } from "../../src/storage/sql.ts";
import { storeRunWrites } from "../../src/workers/checkpoint-requests.ts";
import { openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { openRunQueue, type RunQueue } from "../support/run-queue.ts";
import { QueueModel } from "../support/races/queue-model.ts";
import { checkpoint } from "../support/races/worlds.ts";

/*
 * Random sequences of what several instances and their clients do, each step
 * done by the engine and by a model of it: the answers are the same, and so is
 * what is stored. Whoever lost a lease goes on using it. Lasts `RACE_SECONDS`;
 * a failure prints its seed, and `RACE_SEED` makes the same choices again.
 */

const SECONDS = Number(process.env["RACE_SECONDS"] ?? 10);
const SEED = process.env["RACE_SEED"];

const action = fc.constantFrom("interrupt" as const, "rollback" as const);
const of = <Kind extends string, Rest extends object>(
  kind: Kind,
  rest: { [Key in keyof Rest]: fc.Arbitrary<Rest[Key]> },
) =>
  fc.record({ kind: fc.constant(kind), ...rest }) as fc.Arbitrary<
    { kind: Kind } & Rest
  >;
const thread = fc.nat({ max: 1 });
const pick = fc.nat({ max: 1000 });
const strategy = fc.constantFrom(
  ...["enqueue", "enqueue", "reject", "interrupt", "rollback"],
);

const step = fc.oneof(
  { weight: 6, arbitrary: of("enqueue", { thread, strategy, isDelayed: fc.boolean() }) }, // prettier-ignore
  { weight: 6, arbitrary: of("claim", { pick, limit: fc.integer({ min: 1, max: 3 }) }) }, // prettier-ignore
  { weight: 4, arbitrary: of("put", { pick }) },
  { weight: 4, arbitrary: of("finish", { pick }) },
  { weight: 3, arbitrary: of("handBack", { pick }) },
  { weight: 3, arbitrary: of("cancel", { thread, pick, action }) },
  { weight: 1, arbitrary: of("deleteRun", { thread, pick }) },
  { weight: 1, arbitrary: of("deleteThread", { thread }) },
  { weight: 2, arbitrary: of("beat", { pick }) },
  { weight: 2, arbitrary: of("expire", { pick }) },
  { weight: 2, arbitrary: of("reap", {}) },
  { weight: 2, arbitrary: of("promote", {}) },
);
type Step = typeof step extends fc.Arbitrary<infer One> ? One : never;

let opened: TestDatabase;
let queue: RunQueue;

beforeAll(async () => {
  opened = await openTestDatabase();
  queue = await openRunQueue(opened.database);
});

afterAll(() => opened.close());

it(
  "the engine does what its model does",
  async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 20, maxLength: 60, size: "max" }),
        async (steps) => {
          const pair = await Pair.create();
          for (const one of steps) {
            await pair.perform(one);
            expect(await pair.stored()).toEqual(pair.modelled());
          }
        },
      ),
      {
        numRuns: SECONDS * 1000,
        interruptAfterTimeLimit: SECONDS * 1000,
        ...(SEED === undefined ? {} : { seed: Number(SEED) }),
      },
    );
  },
  SECONDS * 1000 + 60_000,
);

/** The engine and its model, side by side. */
class Pair {
  readonly model = new QueueModel();
  readonly threads: string[] = [];
  readonly instances: string[] = [];
  /** Every lease that anybody had. */
  readonly leases: ClaimedRun[] = [];
  #checkpoints = 0;

  static async create(): Promise<Pair> {
    await opened.database.transaction(async (tx) => {
      await tx.query(sql`delete from threads`);
      await tx.query(sql`delete from instances`);
    });
    const pair = new Pair();
    for (let n = 0; n < 2; n += 1) {
      await pair.#addInstance();
      const thread_id = await queue.thread();
      pair.threads.push(thread_id);
      pair.model.addThread(thread_id);
    }
    return pair;
  }

  async perform(one: Step): Promise<void> {
    switch (one.kind) {
      case "enqueue":
        return this.#enqueue(one);
      case "claim":
        return this.#claim(this.#picked(this.instances, one.pick)!, one.limit);
      case "put":
      case "finish":
      case "handBack":
        return this.#withLease(one.kind, this.#picked(this.leases, one.pick));
      case "cancel":
      case "deleteRun":
      case "deleteThread":
        return this.#ask(one);
      case "promote":
        return this.#promote();
      default:
        return this.#tend(one);
    }
  }

  async #enqueue(one: Step & { kind: "enqueue" }): Promise<void> {
    const thread_id = this.threads[one.thread]!;
    const expected = this.model.enqueue(thread_id, one);
    const answer = await answered(
      queue.enqueue(thread_id, {
        multitask_strategy: one.strategy,
        after_seconds: one.isDelayed ? 3600 : 0,
      }),
    );
    if (typeof expected === "string") expect(answer).toBe(expected);
    else expected.run_id = (answer as { run_id: string }).run_id;
  }

  async #claim(owner: string, limit: number): Promise<void> {
    const expected = this.model.claimable(owner).map(({ run_id }) => run_id);
    const claimed = await queue.claim(owner, limit);
    expect(claimed).toHaveLength(Math.min(limit, expected.length));
    for (const run of claimed) {
      expect(expected).toContain(run.run_id);
      const { attempt } = this.model.claim(owner, run.run_id);
      expect(run.attempt).toBe(attempt);
      this.leases.push(run);
    }
  }

  async #withLease(
    kind: "put" | "finish" | "handBack",
    lease: ClaimedRun | undefined,
  ): Promise<void> {
    if (lease === undefined) return;
    if (kind === "finish")
      return expect(await queue.finish(lease)).toBe(this.model.finish(lease));
    if (kind === "handBack") {
      const answer = await opened.database.transaction((tx) =>
        handBackRun(tx, lease, { deaths: 1 }),
      );
      return expect(answer).toBe(this.model.handBack(lease));
    }
    const id = String((this.#checkpoints += 1)).padStart(4, "0");
    const put = checkpoint(lease.thread_id, id);
    const answer = await answered(
      opened.database.transaction(async (tx) => {
        await storeRunWrites(tx, lease, [put]);
        return "stored";
      }),
    );
    expect(answer).toEqual(this.model.put(lease, id));
  }

  async #ask(
    one: Step & { kind: "cancel" | "deleteRun" | "deleteThread" },
  ): Promise<void> {
    const { deps } = queue;
    const thread_id = this.threads[one.thread]!;
    if (one.kind === "deleteThread") {
      const answer = await answered(deleteThread(deps, ANONYMOUS, thread_id));
      return expect(answer).toBe(this.model.deleteThread(thread_id));
    }
    const runs = this.model.threads.get(thread_id)?.runs ?? [];
    const run_id = this.#picked(runs, one.pick)?.run_id ?? thread_id;
    if (one.kind === "deleteRun") {
      const answer = await answered(
        removeRun(deps, ANONYMOUS, { thread_id, run_id }),
      );
      return expect(answer).toBe(this.model.deleteRun(thread_id, run_id));
    }
    const answer = await answered(
      cancelRun(deps, ANONYMOUS, {
        ...{ thread_id, run_id, action: one.action },
        ...{ wait: false, reason: null, signal: AbortSignal.abort() },
      }),
    );
    expect(answer).toBe(this.model.cancel(thread_id, run_id, one.action));
  }

  async #tend(one: Step & { kind: "beat" | "expire" | "reap" }): Promise<void> {
    if (one.kind === "reap") {
      await reapExpired(queue.deps);
      this.model.reap();
      while (this.model.instances.size < 2) await this.#addInstance();
      return;
    }
    const instance_id = this.#picked(this.instances, one.pick)!;
    if (one.kind === "beat") {
      const lease = { instance_id, leaseMs: 86_400_000 };
      const isHeld = (await extendLease(opened.database, lease)) !== null;
      return expect(isHeld).toBe(this.model.beat(instance_id));
    }
    await opened.database.transaction((tx) =>
      tx.query(
        sql`update instances set lease_until = ${new Date(0)} where instance_id = ${instance_id}`,
      ),
    );
    this.model.expire(instance_id);
  }

  async #promote(): Promise<void> {
    await opened.database.transaction((tx) =>
      tx.query(
        sql`update runs set run_at = ${new Date(0)} where q = 'delayed'`,
      ),
    );
    await promoteDueRuns(opened.database);
    this.model.promote();
  }

  async #addInstance(): Promise<void> {
    const instance = await queue.instance();
    this.instances.push(instance);
    this.model.instances.set(instance, "lives");
  }

  /** The newest are picked most. */
  #picked<T>(items: readonly T[], number: number): T | undefined {
    const back =
      number % 3 === 0 ? number % Math.max(1, items.length) : (number % 3) - 1;
    return items.at(-1 - back);
  }

  async stored() {
    const [runs, checkpoints, threads, instances] = await Promise.all([
      opened.database.query(sql`
        select thread_id, run_id, seq, q, status, attempt, deaths, cancel, owner,
               input_applied, last_checkpoint_id
        from runs order by thread_id, seq`),
      opened.database.query(
        sql`select thread_id, checkpoint_id, run_id from checkpoints order by checkpoint_id`,
      ),
      opened.database.query(
        sql`select thread_id, status, run_seq from threads order by thread_id`,
      ),
      opened.database.query<{ instance_id: string }>(
        sql`select instance_id from instances order by instance_id`,
      ),
    ]);
    return { threads, runs, checkpoints, instances };
  }

  modelled(): Awaited<ReturnType<Pair["stored"]>> {
    const threads = [...this.model.threads.values()];
    return {
      threads: threads.map(({ thread_id, run_seq }) => ({
        ...{ thread_id, run_seq },
        status: this.model.unfinished(thread_id).length > 0 ? "busy" : "idle",
      })),
      runs: threads.flatMap(({ thread_id, runs }) =>
        runs.map((run) => ({ thread_id, ...run })),
      ),
      checkpoints: threads
        .flatMap(({ thread_id, checkpoints }) =>
          checkpoints.map((made) => ({ thread_id, ...made })),
        )
        .sort((a, b) => (a.checkpoint_id < b.checkpoint_id ? -1 : 1)),
      instances: [...this.model.instances.keys()]
        .sort()
        .map((instance_id) => ({ instance_id })),
    };
  }
}

/** What an operation answers, or the code that it is refused with. */
const answered = (work: Promise<unknown>): Promise<unknown> =>
  work.catch((cause: unknown) => {
    if (cause instanceof LeaseLostError) return "lost";
    if (cause instanceof AppError) return cause.code;
    throw cause;
  });
