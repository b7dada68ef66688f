import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ANONYMOUS } from "../../src/auth/caller.ts";
import { UNRESTRICTED } from "../../src/model/access.ts";
import { cancelRun } from "../../src/services/cancel-run.ts";
import { waitForRun } from "../../src/services/runs.ts";
import { voidLeases } from "../../src/storage/instances.ts";
import { reapExpired } from "../../src/engine/recovery.ts";
import { sql } from "../../src/storage/sql.ts";
import { getThread } from "../../src/storage/threads.ts";
import { openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { openEngine, type EngineOptions } from "../support/engine.ts";
import { waitFor } from "../support/wait.ts";

let opened: TestDatabase;
let engine: Awaited<ReturnType<typeof openEngine>>;

beforeEach(async () => {
  opened = await openTestDatabase();
});

afterEach(async () => {
  await engine.close();
  await opened.close();
});

async function open(options: EngineOptions = {}): Promise<string> {
  engine = await openEngine(opened, options);
  await engine.start();
  return engine.queue.thread();
}

const enqueue = (thread_id: string, request: Record<string, unknown>) =>
  engine.queue.enqueue(thread_id, { durability: "sync", ...request });

async function ended(thread_id: string, request: Record<string, unknown>) {
  const run = await enqueue(thread_id, request);
  await engine.until(run.run_id, "done");
  return run;
}

const rollBack = (run: { thread_id: string; run_id: string }, wait = true) =>
  cancelRun(engine.queue.deps, ANONYMOUS, {
    ...run,
    action: "rollback",
    wait,
    reason: null,
    signal: new AbortController().signal,
  });

const hang = { input: { mode: "hang", log: ["of the run"] } };

/** A run that has stored its input, and is in its first step. */
async function hanging(thread_id: string, request = hang) {
  const run = await enqueue(thread_id, request);
  await waitFor("the run has a checkpoint", async () => {
    const rows = await opened.database.query(
      sql`select 1 from checkpoints where run_id = ${run.run_id}`,
    );
    return rows.length > 0;
  });
  return run;
}

/** Everything of the thread that a run may leave something in; times differ, and numbers of events never come again. */
async function contents(thread_id: string) {
  const of = (table: "checkpoints" | "checkpoint_writes" | "runs") =>
    opened.database.query<Record<string, unknown>>(
      {
        checkpoints: sql`select * from checkpoints where thread_id = ${thread_id} order by checkpoint_id`,
        checkpoint_writes: sql`select * from checkpoint_writes where thread_id = ${thread_id} order by task_id, idx`,
        runs: sql`select run_id, status from runs where thread_id = ${thread_id} order by seq`,
      }[table],
    );
  const values = await opened.database.query(
    sql`select hash from checkpoint_values where thread_id = ${thread_id} order by hash`,
  );
  const streams = await opened.database.query(
    sql`select first_seq from event_segments where thread_id = ${thread_id} order by first_seq`,
  );
  const thread = await getThread(opened.database, thread_id, UNRESTRICTED);
  const { status, values: shown, interrupts, error, metadata } = thread!;
  return {
    thread: { status, values: shown, interrupts, error, metadata },
    checkpoints: await of("checkpoints"),
    writes: await of("checkpoint_writes"),
    runs: await of("runs"),
    values,
    streams,
  };
}

describe("a rolled back run leaves its thread as it was", () => {
  const before: [was: string, graph: string, mode: string | null][] = [
    ["idle", "steps.ts:graph", "plain"],
    ["interrupted", "steps.ts:graph", "ask"],
    ["interrupted", "steps.ts:breaking", "plain"],
    ["error", "steps.ts:graph", "fail"],
  ];
  it.each(before)("%s, of %s in mode %s", async (status, graph, mode) => {
    const thread_id = await open({ graph: `worker-graphs/${graph}` });
    await ended(thread_id, { input: { mode, log: ["before"] } });
    const was = await contents(thread_id);
    expect(was.thread.status).toBe(status);
    await rollBack(await hanging(thread_id));
    expect(await contents(thread_id)).toEqual(was);
  });

  it("empty", async () => {
    const thread_id = await open();
    await rollBack(await hanging(thread_id));
    expect(await contents(thread_id)).toMatchObject({
      thread: { status: "idle", values: null, interrupts: {}, error: null },
      ...{ checkpoints: [], writes: [], runs: [], values: [], streams: [] },
    });
  });

  it("with the questions that the run had answered, not those that it has asked", async () => {
    const thread_id = await open({ graph: "worker-graphs/two-forms.ts:graph" });
    await ended(thread_id, { input: { log: [] } });
    const was = await contents(thread_id);
    const asked = Object.values(was.thread.interrupts).flat() as {
      id: string;
      value: string;
    }[];
    expect(asked.map(({ value }) => value)).toEqual(["first of 1?", "first of 2?"]); // prettier-ignore
    const answers = ["one", "hang"];
    const run = await enqueue(thread_id, {
      command: {
        resume: Object.fromEntries(asked.map(({ id }, n) => [id, answers[n]])),
      },
    });
    await waitFor("the next question is stored", async () => {
      const { writes } = await contents(thread_id);
      return writes.some(
        ({ channel, data }) =>
          channel === "__interrupt__" &&
          Buffer.from(data as Uint8Array).includes("second of 1?"),
      );
    });
    await rollBack(run);
    expect(await contents(thread_id)).toEqual(was);
    const resume = Object.fromEntries(asked.map(({ id }) => [id, "again"]));
    await ended(thread_id, { command: { resume } });
    const { thread } = await contents(thread_id);
    const next = Object.values(thread.interrupts).flat();
    expect(next).toMatchObject([
      { value: "second of 1?" },
      { value: "second of 2?" },
    ]);
  });

  it("when it has been handed back to the queue in the middle of its work", async () => {
    const thread_id = await open();
    await ended(thread_id, { input: { mode: "plain", log: ["before"] } });
    const was = await contents(thread_id);
    const run = await hanging(thread_id);
    await engine.close();
    expect(await engine.rowOf(run.run_id)).toMatchObject({ q: "ready" });
    await rollBack(run);
    expect(await contents(thread_id)).toEqual(was);
  });
});

describe("the intention to roll back", () => {
  it("outlives the server, which has not come to it", async () => {
    const thread_id = await open();
    await ended(thread_id, { input: { mode: "plain", log: ["before"] } });
    const was = await contents(thread_id);
    const run = await hanging(thread_id);
    await engine.close();
    // As a kill leaves it: claimed by an instance that is no more, and wanted gone.
    const dead = await engine.queue.instance();
    const [claimed] = await engine.queue.claim(dead);
    expect(claimed?.run_id).toBe(run.run_id);
    await rollBack(run, false);
    await opened.database.transaction((tx) => voidLeases(tx));
    await reapExpired(engine.queue.deps);
    expect((await contents(thread_id)).runs).toContainEqual({
      run_id: run.run_id,
      status: "pending",
    });
    engine = await openEngine(opened);
    await engine.start();
    await waitFor("the run is gone", async () => {
      return (await engine.rowOf(run.run_id)) === undefined;
    });
    expect(await contents(thread_id)).toEqual(was);
  });

  it("is not taken back by a cancel that comes later", async () => {
    const thread_id = await open({ settings: { cancelGraceMs: 60_000 } });
    const run = await hanging(thread_id);
    // Both before the worker could have ended it.
    await Promise.all([
      rollBack(run, false),
      cancelRun(engine.queue.deps, ANONYMOUS, {
        ...run,
        action: "interrupt",
        wait: true,
        reason: null,
        signal: new AbortController().signal,
      }),
    ]);
    expect(await engine.rowOf(run.run_id)).toBeUndefined();
  });
});

describe("who waits for a run that is rolled back", () => {
  it("is told that there is no result", async () => {
    const thread_id = await open();
    await ended(thread_id, { input: { mode: "plain", log: ["before"] } });
    const run = await hanging(thread_id);
    const { signal } = new AbortController();
    const waiting = waitForRun(engine.queue.deps, run, signal);
    await rollBack(run);
    expect(JSON.parse(await waiting)).toEqual({
      __error__: {
        error: "RunDeletedError",
        message: `run ${run.run_id} has no result: it was rolled back, or deleted with its thread`,
      },
    });
  });

  it("sees its stream end, and numbers of events that never come again", async () => {
    const thread_id = await open();
    const run = await hanging(thread_id);
    const seqs: number[] = [];
    const frames: string[] = [];
    engine.events.subscribe(thread_id, ({ seq, event, data, run_id }) => {
      seqs.push(seq);
      if (run_id === run.run_id) frames.push(`${event} ${data}`);
    });
    await rollBack(run);
    expect(frames.at(-1)).toBe(
      `end ${JSON.stringify({ run_id: run.run_id, status: "interrupted" })}`,
    );
    await ended(thread_id, { input: { mode: "plain", log: [] } });
    expect(seqs).toEqual([...new Set(seqs)].sort((a, b) => a - b));
  });
});

it("a run with the strategy rollback starts from what was before all that it meets", async () => {
  const thread_id = await open();
  await ended(thread_id, { input: { mode: "plain", log: ["before"] } });
  const running = await hanging(thread_id);
  const waiting = await enqueue(thread_id, hang);
  const late = await enqueue(thread_id, { ...hang, after_seconds: 3600 });
  const run = await ended(thread_id, {
    input: { mode: "plain", log: ["new"] },
    multitask_strategy: "rollback",
  });
  const { thread, runs } = await contents(thread_id);
  expect(thread).toMatchObject({
    status: "idle",
    values: { log: ["before", "a", "b", "new", "a", "b"] },
  });
  expect(runs.slice(1)).toEqual([{ run_id: run.run_id, status: "success" }]);
  for (const { run_id } of [running, waiting, late])
    expect(await engine.rowOf(run_id)).toBeUndefined();
});

it("a thread that fails before a run that is cancelled still shows its failure", async () => {
  const thread_id = await open();
  await enqueue(thread_id, { input: { mode: "fail", log: [] } });
  const behind = await enqueue(thread_id, { ...hang, after_seconds: 3600 });
  const isFailed = async () =>
    (await contents(thread_id)).runs[0]?.["status"] === "error";
  await waitFor("the first has failed", isFailed);
  expect((await contents(thread_id)).thread.status).toBe("busy");
  await rollBack(behind);
  expect((await contents(thread_id)).thread).toMatchObject({
    status: "error",
    error: { error: "CustomError", message: "Boo!" },
  });
});
