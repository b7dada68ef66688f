import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import { ANONYMOUS } from "../../src/auth/caller.ts";
import { promoteDueRuns, reapExpired } from "../../src/engine/recovery.ts";
import type { CancelAction } from "../../src/model/run.ts";
import { runBatch } from "../../src/model/run-requests.ts";
import type { CancelledStatus } from "../../src/model/runs-cancel.ts";
import { createRunBatch } from "../../src/services/accept-run.ts";
import { cancelRun } from "../../src/services/cancel-run.ts";
import { cancelRuns } from "../../src/services/cancel-runs.ts";
import { handBackRun, type ClaimedRun } from "../../src/storage/run-queue.ts";
import { sql } from "../../src/storage/sql.ts";
import { findThread } from "../../src/storage/threads.ts";
import { openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { NOBODY } from "../support/sdk.ts";
import {
  openRunQueue,
  type RunQueue,
  type RunRow,
} from "../support/run-queue.ts";

/*
 * Random sequences of everything that moves a run, checked after every step
 * against what must always hold. `FUZZ_RUNS` makes it longer.
 */

const RUNS = Number(process.env["FUZZ_RUNS"] ?? 60);
const THREADS = 3;

type Operation =
  | { kind: "enqueue"; thread: number; strategy: string; isDelayed: boolean }
  | { kind: "claim"; instance: number; limit: number }
  | { kind: "finish" | "handBack" | "finishStale"; pick: number }
  | { kind: "cancel"; thread: number; pick: number; action: CancelAction }
  | { kind: "cancelMany"; picks: number[]; action: CancelAction }
  | { kind: "cancelAll"; status: CancelledStatus; action: CancelAction }
  | { kind: "batch"; size: number; isRefused: boolean }
  | { kind: "die"; instance: number }
  | { kind: "due" };

const small = fc.nat({ max: THREADS - 1 });
const action = fc.constantFrom("interrupt" as const, "rollback" as const);
const operation: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("enqueue" as const),
      thread: small,
      strategy: fc.constantFrom(
        "enqueue",
        "enqueue",
        "reject",
        "interrupt",
        "rollback",
      ),
      isDelayed: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("claim" as const),
      instance: fc.nat({ max: 1 }),
      limit: fc.integer({ min: 1, max: 3 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom(
        "finish" as const,
        "handBack" as const,
        "finishStale" as const,
      ),
      pick: fc.nat(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("cancel" as const),
      thread: small,
      pick: fc.nat(),
      action,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("cancelMany" as const),
      picks: fc.array(fc.nat(), { minLength: 1, maxLength: 3 }),
      action,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("cancelAll" as const),
      status: fc.constantFrom("pending", "running", "all"),
      action,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("batch" as const),
      size: fc.integer({ min: 1, max: 3 }),
      isRefused: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("die" as const),
      instance: fc.nat({ max: 1 }),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: "due" as const }) },
);

let opened: TestDatabase;
let queue: RunQueue;

beforeAll(async () => {
  opened = await openTestDatabase();
  queue = await openRunQueue(opened.database);
});

afterAll(() => opened.close());

it("keeps its invariants under any sequence of operations", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(operation, { minLength: 1, maxLength: 40 }),
      async (operations) => {
        const world = await World.create();
        for (const step of operations) {
          await world.perform(step);
          await world.check();
        }
        await world.finishEverything();
      },
    ),
    { numRuns: RUNS },
  );
}, 300_000);

class World {
  readonly threads: string[];
  readonly instances: string[];
  /** What each instance believes it holds; a dead one believes it still. */
  held: { run: ClaimedRun; owner: string }[] = [];
  stale: ClaimedRun[] = [];
  /** Runs that were executing when somebody wanted them rolled back. */
  readonly doomed = new Set<string>();
  /** How each thread stands when nothing goes on: as the last run has left it that was not taken back. */
  readonly atRest = new Map<string, "idle" | "error">();

  private constructor(threads: string[], instances: string[]) {
    this.threads = threads;
    this.instances = instances;
  }

  static async create(): Promise<World> {
    // Runs that an earlier sequence left behind would be claimed by this one.
    await opened.database.transaction((tx) =>
      tx.query(sql`delete from threads`),
    );
    const threads = [
      await queue.thread(),
      await queue.thread(),
      await queue.thread(),
    ];
    return new World(threads, [await queue.instance(), await queue.instance()]);
  }

  async perform(step: Operation): Promise<void> {
    switch (step.kind) {
      case "enqueue":
        return this.enqueue(step);
      case "claim":
        return this.claim(this.instances[step.instance]!, step.limit);
      case "finish":
        return this.finish(step.pick);
      case "handBack":
        return this.handBack(step.pick);
      case "finishStale":
        return this.finishStale(step.pick);
      case "cancel":
        return this.cancel(step);
      case "cancelMany":
        return this.cancelMany(step);
      case "cancelAll":
        return this.cancelAll(step);
      case "batch":
        return this.batch(step);
      case "die":
        return this.die(step.instance);
      case "due":
        return this.due();
    }
  }

  /** The schema's rules hold by themselves; these are the ones that only the code keeps. */
  async check(): Promise<void> {
    for (const thread of this.threads) {
      const runs = await queue.runs(thread);
      const turn = runs.filter(({ q }) => q === "ready" || q === "running");
      const waiting = runs.filter(({ q }) => q === "behind");
      expect(turn.length).toBeLessThanOrEqual(1);
      if (waiting.length > 0)
        expect(turn, "runs wait behind nobody").toHaveLength(1);
      const status = (await findThread(opened.database, thread, null))?.status;
      const isUnfinished = runs.some(({ q }) => q !== "done");
      const rest = this.atRest.get(thread) ?? "idle";
      expect(status).toBe(isUnfinished ? "busy" : rest);
    }
  }

  /** Nothing is ever stuck: with one live instance everything ends. */
  async finishEverything(): Promise<void> {
    await this.due();
    for (const index of this.instances.keys()) await this.die(index);
    const owner = this.instances[0]!;
    for (let round = 0; round < 200; round += 1) {
      const claimed = await queue.claim(owner, 10);
      if (claimed.length === 0) break;
      for (const run of claimed) await this.finishRun(run, "success");
    }
    for (const thread of this.threads) {
      const runs = await queue.runs(thread);
      expect(runs.filter(({ q }) => q !== "done")).toEqual([]);
    }
    await this.check();
  }

  private async enqueue(step: Operation & { kind: "enqueue" }): Promise<void> {
    const thread = this.threads[step.thread]!;
    const before = await queue.runs(thread);
    const isFree = before.every(({ q }) => q === "done");
    const adding = queue.enqueue(thread, {
      multitask_strategy: step.strategy,
      after_seconds: step.isDelayed ? 3600 : 0,
    });
    if (step.strategy === "reject" && !isFree)
      await expect(adding).rejects.toMatchObject({ code: "conflict" });
    else await adding;
    if (step.strategy === "rollback") await this.expectDoomed(thread, before);
  }

  /** Of the runs that had not ended, those that execute are doomed, and the others gone. */
  private async expectDoomed(thread: string, runs: RunRow[]): Promise<void> {
    const left = (await queue.runs(thread)).map(({ run_id }) => run_id);
    for (const { run_id, q } of runs) {
      if (q === "running") this.doomed.add(run_id);
      const isThere = q === "running" || q === "done";
      expect(left.includes(run_id)).toBe(isThere);
    }
  }

  private async claim(owner: string, limit: number): Promise<void> {
    for (const run of await queue.claim(owner, limit))
      this.held.push({ run, owner });
  }

  private take(pick: number): ClaimedRun | undefined {
    if (this.held.length === 0) return undefined;
    const [taken] = this.held.splice(pick % this.held.length, 1);
    this.stale.push(taken!.run);
    return taken!.run;
  }

  private async finish(pick: number): Promise<void> {
    const run = this.take(pick);
    if (run === undefined) return;
    await this.finishRun(run, pick % 3 === 0 ? "error" : "success");
  }

  private async finishRun(
    run: ClaimedRun,
    status: "error" | "success",
  ): Promise<void> {
    const error = status === "error" ? { error: "E", message: "m" } : null;
    const isDoomed = this.doomed.has(run.run_id);
    expect(await queue.finish(run, { status, error })).toBe(
      isDoomed ? "rolled back" : "finished",
    );
    if (!isDoomed)
      this.atRest.set(run.thread_id, error === null ? "idle" : "error");
  }

  private async handBack(pick: number): Promise<void> {
    const run = this.take(pick);
    if (run === undefined) return;
    const outcome = await opened.database.transaction((tx) =>
      handBackRun(tx, run, { deaths: 1 }),
    );
    expect(outcome).toBe("handed back");
  }

  private async finishStale(pick: number): Promise<void> {
    const run = this.stale[pick % Math.max(1, this.stale.length)];
    if (run !== undefined) expect(await queue.finish(run)).toBe("lost");
  }

  private async cancel({
    thread,
    pick,
    action,
  }: Operation & { kind: "cancel" }): Promise<void> {
    const thread_id = this.threads[thread]!;
    const runs = await queue.runs(thread_id);
    const run = runs[pick % Math.max(1, runs.length)];
    if (run === undefined) return;
    const cancelling = cancelRun(queue.deps, ANONYMOUS, {
      thread_id,
      run_id: run.run_id,
      action,
      wait: false,
      reason: null,
      signal: AbortSignal.abort(),
    });
    if (run.q === "done")
      await expect(cancelling).rejects.toMatchObject({ code: "conflict" });
    else await cancelling;
    if (action === "rollback" && run.q !== "done")
      await this.expectDoomed(thread_id, [run]);
  }

  /** Of the first thread: some of its runs, and one that is not there. */
  private async cancelMany({
    picks,
    action,
  }: Operation & { kind: "cancelMany" }): Promise<void> {
    const thread_id = this.threads[0]!;
    const before = await queue.runs(thread_id);
    const chosen = before.filter((_, n) =>
      picks.some((pick) => pick % before.length === n),
    );
    const run_ids = [...chosen.map(({ run_id }) => run_id), NOBODY];
    const request = { thread_id, run_ids };
    await expect(
      cancelRuns(queue.deps, ANONYMOUS, { action, request }),
    ).rejects.toMatchObject({ message: `Run not found: ${NOBODY}` });
    await this.expectStopped(thread_id, chosen, action);
  }

  private async cancelAll({
    status,
    action,
  }: Operation & { kind: "cancelAll" }): Promise<void> {
    const before = new Map<string, RunRow[]>();
    for (const thread of this.threads)
      before.set(thread, await queue.runs(thread));
    await cancelRuns(queue.deps, ANONYMOUS, { action, request: { status } });
    const isMeant = ({ q }: RunRow) =>
      status === "all" || (q === "running") === (status === "running");
    for (const [thread, runs] of before)
      await this.expectStopped(thread, runs.filter(isMeant), action);
  }

  /** None of the runs waits any more, but for those that must be ended by who claims them. */
  private async expectStopped(
    thread: string,
    runs: RunRow[],
    action: CancelAction,
  ): Promise<void> {
    if (action === "rollback") return this.expectDoomed(thread, runs);
    const after = new Map(
      (await queue.runs(thread)).map((run) => [run.run_id, run.q]),
    );
    for (const { run_id, q, attempt } of runs) {
      const hasStarted = q === "running" || (q === "ready" && attempt > 0);
      expect(after.get(run_id)).toBe(hasStarted ? q : "done");
    }
  }

  /** Each run has a thread of its own, which joins the world. */
  private async batch({
    size,
    isRefused,
  }: Operation & { kind: "batch" }): Promise<void> {
    const count = () => opened.database.query(sql`select run_id from runs`);
    const before = await count();
    const names = Array.from({ length: size }, () => "agent");
    if (isRefused) names.push("nobody");
    const items = names.map((assistantId) => ({
      ...{ assistantId, assistant_id: assistantId },
      onCompletion: "keep",
    }));
    const making = createRunBatch(queue.deps, ANONYMOUS, runBatch.parse(items));
    if (isRefused) {
      await expect(making).rejects.toMatchObject({ code: "not_found" });
      expect(await count()).toEqual(before);
    } else
      for (const { thread_id } of await making) this.threads.push(thread_id);
  }

  /** Dies with its lease expired, is reaped, and comes back under another id. */
  private async die(index: number): Promise<void> {
    const dead = this.instances[index]!;
    await opened.database.transaction((tx) =>
      tx.query(
        sql`update instances set lease_until = ${new Date(0)} where instance_id = ${dead}`,
      ),
    );
    await reapExpired(queue.deps);
    for (const { run, owner } of this.held)
      if (owner === dead) this.stale.push(run);
    this.held = this.held.filter(({ owner }) => owner !== dead);
    expect(await queue.claim(dead)).toEqual([]);
    this.instances[index] = await queue.instance();
  }

  private async due(): Promise<void> {
    await opened.database.transaction((tx) =>
      tx.query(
        sql`update runs set run_at = ${new Date(0)} where q = 'delayed'`,
      ),
    );
    await promoteDueRuns(opened.database);
  }
}
