import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ANONYMOUS } from "../../src/auth/caller.ts";
import { promoteDueRuns, reapExpired } from "../../src/engine/recovery.ts";
import type { CancelAction } from "../../src/model/run.ts";
import { cancelRun } from "../../src/services/cancel-run.ts";
import { voidLeases } from "../../src/storage/instances.ts";
import { finishRun, handBackRun } from "../../src/storage/run-queue.ts";
import { sql } from "../../src/storage/sql.ts";
import { findThread } from "../../src/storage/threads.ts";
import {
  drivers,
  openTestDatabase,
  type TestDatabase,
} from "../support/databases.ts";
import { openRunQueue, type RunQueue } from "../support/run-queue.ts";

const NOW = AbortSignal.abort();

describe.each(drivers())("the run queue on $name", (driver) => {
  let opened: TestDatabase;
  let queue: RunQueue;

  beforeAll(async () => {
    opened = await openTestDatabase(driver);
    queue = await openRunQueue(opened.database);
  });

  afterAll(() => opened.close());

  const states = async (thread: string) =>
    (await queue.runs(thread)).map(({ q }) => q);

  const cancel = (
    thread_id: string,
    run_id: string,
    action: CancelAction = "interrupt",
  ) =>
    cancelRun(queue.deps, ANONYMOUS, {
      thread_id,
      run_id,
      action,
      wait: false,
      reason: null,
      signal: NOW,
    });

  const statusOf = async (thread: string) =>
    (await findThread(opened.database, thread, null))?.status;

  it("gives the turn to the first run and lines the others up behind it", async () => {
    const thread = await queue.thread();
    await queue.enqueue(thread);
    await queue.enqueue(thread);
    await queue.enqueue(thread);
    expect(await states(thread)).toEqual(["ready", "behind", "behind"]);
    expect(await statusOf(thread)).toBe("busy");
  });

  it("claims one run of a thread at a time, in the order of their coming", async () => {
    const thread = await queue.thread();
    const owner = await queue.instance();
    const made = [await queue.enqueue(thread), await queue.enqueue(thread)];
    for (const expected of made) {
      const claimed = (await queue.claim(owner, 100)).filter(
        (run) => run.thread_id === thread,
      );
      expect(claimed.map(({ run_id }) => run_id)).toEqual([expected.run_id]);
      for (const run of claimed) await queue.finish(run);
    }
    expect(await statusOf(thread)).toBe("idle");
  });

  it("refuses a second turn in the schema itself", async () => {
    const thread = await queue.thread();
    await queue.enqueue(thread);
    await queue.enqueue(thread);
    await expect(
      opened.database.transaction((tx) =>
        tx.query(sql`update runs set q = 'ready' where thread_id = ${thread}`),
      ),
    ).rejects.toThrow(/unique/i);
  });

  it("rejects with 409 when the strategy is reject and another run is in flight", async () => {
    const thread = await queue.thread();
    await queue.enqueue(thread);
    await expect(
      queue.enqueue(thread, { multitask_strategy: "reject" }),
    ).rejects.toMatchObject({ code: "conflict" });
    expect(await states(thread)).toHaveLength(1);
  });

  it("interrupts what waits at once and what runs by its cancel column", async () => {
    const thread = await queue.thread();
    const owner = await queue.instance();
    await queue.enqueue(thread);
    await queue.claim(owner, 100);
    await queue.enqueue(thread);
    await queue.enqueue(thread, { multitask_strategy: "interrupt" });
    expect(await states(thread)).toEqual(["running", "done", "behind"]);
    const rows = await opened.database.query(
      sql`select cancel from runs where thread_id = ${thread} order by seq`,
    );
    expect(rows).toEqual([
      { cancel: "interrupt" },
      { cancel: null },
      { cancel: null },
    ]);
  });

  it("lets only the newest attempt finish a run", async () => {
    const thread = await queue.thread();
    const owner = await queue.instance();
    await queue.enqueue(thread);
    const [first] = (await queue.claim(owner, 100)).filter(
      (run) => run.thread_id === thread,
    );
    await opened.database.transaction((tx) =>
      handBackRun(tx, first!, { deaths: 1 }),
    );
    const [second] = (await queue.claim(owner, 100)).filter(
      (run) => run.thread_id === thread,
    );
    expect(second).toMatchObject({ attempt: 2, deaths: 1 });
    expect(await queue.finish(first!)).toBe("lost");
    expect(await states(thread)).toEqual(["running"]);
    expect(await queue.finish(second!)).toBe("finished");
    expect(await queue.finish(second!)).toBe("lost");
  });

  it("counts no death when the server itself hands a run back", async () => {
    const thread = await queue.thread();
    const owner = await queue.instance();
    await queue.enqueue(thread);
    const [run] = (await queue.claim(owner, 100)).filter(
      (claimed) => claimed.thread_id === thread,
    );
    await opened.database.transaction((tx) =>
      handBackRun(tx, run!, { deaths: 0 }),
    );
    const [again] = (await queue.claim(owner, 100)).filter(
      (claimed) => claimed.thread_id === thread,
    );
    expect(again).toMatchObject({ attempt: 2, deaths: 0 });
  });

  it("lets an instance that has no row claim nothing", async () => {
    const thread = await queue.thread();
    await queue.enqueue(thread);
    expect(
      await queue.claim("00000000-0000-7000-8000-000000000000", 100),
    ).toEqual([]);
    expect(await states(thread)).toEqual(["ready"]);
  });

  it("gives the runs of a dead instance back with their turn", async () => {
    const thread = await queue.thread();
    const owner = await queue.instance();
    await queue.enqueue(thread);
    await queue.enqueue(thread);
    await queue.claim(owner, 100);
    await opened.database.transaction(voidLeases);
    await reapExpired(queue.deps);
    expect(await states(thread)).toEqual(["ready", "behind"]);
    expect(await queue.claim(owner, 100)).toEqual([]); // its row went with it
  });

  it("holds a delayed run back until it is due, and lets others pass", async () => {
    const thread = await queue.thread();
    const delayed = await queue.enqueue(thread, { after_seconds: 3600 });
    await queue.enqueue(thread);
    expect(await states(thread)).toEqual(["delayed", "ready"]);
    await promoteDueRuns(opened.database);
    expect(await states(thread)).toEqual(["delayed", "ready"]);
    await opened.database.transaction((tx) =>
      tx.query(
        sql`update runs set run_at = ${new Date(0)} where run_id = ${delayed.run_id}`,
      ),
    );
    await promoteDueRuns(opened.database);
    expect(await states(thread)).toEqual(["behind", "ready"]);
  });

  it("ends a pending run at once when it is cancelled, and frees its thread", async () => {
    const thread = await queue.thread();
    const run = await queue.enqueue(thread, { after_seconds: 3600 });
    await cancel(thread, run.run_id);
    expect(await queue.runs(thread)).toMatchObject([
      { q: "done", status: "interrupted" },
    ]);
    expect(await statusOf(thread)).toBe("idle");
    await expect(cancel(thread, run.run_id)).rejects.toMatchObject({
      code: "conflict",
    });
  });

  it("passes the turn on when the run that has it is cancelled", async () => {
    const thread = await queue.thread();
    const run = await queue.enqueue(thread);
    await queue.enqueue(thread);
    await cancel(thread, run.run_id);
    expect(await states(thread)).toEqual(["done", "ready"]);
    expect(await statusOf(thread)).toBe("busy");
  });

  it("rolls back a run that is wanted gone, however its graph has ended, and only by its fence", async () => {
    const thread = await queue.thread();
    const owner = await queue.instance();
    const { run_id } = await queue.enqueue(thread);
    await queue.enqueue(thread);
    const claimed = (await queue.claim(owner, 100)).find(
      (run) => run.run_id === run_id,
    )!;
    await cancel(thread, run_id, "rollback");
    expect(await states(thread)).toEqual(["running", "behind"]);
    const stale = { ...claimed, attempt: claimed.attempt - 1 };
    expect(await queue.finish(stale)).toBe("lost");
    expect(await states(thread)).toEqual(["running", "behind"]);
    expect(await queue.finish(claimed)).toBe("rolled back");
    expect(await states(thread)).toEqual(["ready"]);
    expect(await queue.finish(claimed)).toBe("lost");
  });

  it("tells a run that was handed back in its midst to stop, and leaves its end to who claims it", async () => {
    const thread = await queue.thread();
    const owner = await queue.instance();
    const { run_id } = await queue.enqueue(thread);
    const claimed = (await queue.claim(owner, 100)).find(
      (run) => run.run_id === run_id,
    )!;
    await opened.database.transaction((tx) =>
      handBackRun(tx, claimed, { deaths: 1, delayMs: 3_600_000 }),
    );
    await cancel(thread, run_id);
    expect(await states(thread)).toEqual(["ready"]);
    expect(await queue.claim(owner, 100)).toContainEqual(
      expect.objectContaining({ run_id, cancel: "interrupt" }),
    );
  });

  it("refuses to finish without the fence", async () => {
    const outcome = await opened.database.transaction((tx) =>
      finishRun(
        tx,
        { run_id: "00000000-0000-7000-8000-000000000000", attempt: 1 },
        { status: "success", error: null },
      ),
    );
    expect(outcome).toBe("lost");
  });
});
