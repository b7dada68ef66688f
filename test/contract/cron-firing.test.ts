import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ANONYMOUS, type Caller } from "../../src/auth/caller.ts";
import {
  cronCreate,
  cronPatch,
  threadCronCreate,
} from "../../src/model/cron-requests.ts";
import type { Cron, MissedTicks } from "../../src/model/cron.ts";
import {
  changeCron,
  createCron,
  removeCron,
} from "../../src/services/crons.ts";
import { fireDueCrons, type CronDeps } from "../../src/services/fire-crons.ts";
import type { RunKwargs } from "../../src/model/run.ts";
import type { JsonObject } from "../../src/lib/json.ts";
import { deleteOldTicks } from "../../src/storage/cron-ticks.ts";
import { sql } from "../../src/storage/sql.ts";
import { deleteThread } from "../../src/storage/threads.ts";
import {
  fillDisk,
  openTestDatabase,
  openTestFile,
  type TestDatabase,
} from "../support/databases.ts";
import { openRunQueue, type RunQueue } from "../support/run-queue.ts";

let opened: TestDatabase;
let queue: RunQueue;

beforeEach(async () => {
  opened = await openTestDatabase();
  queue = await openRunQueue(opened.database);
});

afterEach(() => opened.close());

/** Every half hour, a quarter of one away, so that no tick comes by itself while a test runs. */
const MINUTE = (new Date().getUTCMinutes() + 15) % 30;
const SCHEDULE = `${MINUTE},${MINUTE + 30} * * * *`;

async function cron(
  { thread_id = null, caller = ANONYMOUS, ...body }: { thread_id?: string | null; caller?: Caller; [key: string]: unknown } = {}, // prettier-ignore
): Promise<Cron> {
  const schema = thread_id === null ? cronCreate : threadCronCreate;
  const request = schema.parse({
    schedule: SCHEDULE,
    assistant_id: "agent",
    ...body,
  });
  return createCron(queue.deps, caller, { thread_id, request });
}

/** Moves the next date to so many seconds ago, and answers with it. */
async function makeDue({ cron_id }: Cron, secondsAgo = 0): Promise<Date> {
  const scheduled = new Date(Date.now() - secondsAgo * 1000);
  await opened.database.transaction(
    (tx) =>
    tx.query(sql`update crons set next_run_date = ${scheduled} where cron_id = ${cron_id}`), // prettier-ignore
  );
  return scheduled;
}

const fire = (deps: Partial<CronDeps> = {}, missed: MissedTicks = "run_once") =>
  fireDueCrons(
    { ...queue.deps, missedTicks: missed, ...deps },
    new AbortController().signal,
  );

interface FiredRun {
  run_id: string;
  thread_id: string;
  kwargs: RunKwargs;
  metadata: JsonObject;
}

/** The runs of a cron. */
const runsOf = async ({ cron_id }: Cron): Promise<FiredRun[]> => {
  const runs = await opened.database.query<FiredRun>(
    sql`select run_id, thread_id, kwargs, metadata from runs order by created_at, run_id`,
  );
  return runs.filter(({ metadata }) => metadata["cron_id"] === cron_id);
};

const ticksOf = ({ cron_id }: Cron) =>
  opened.database.query<{ scheduled_at: string; run_id: string }>(
    sql`select scheduled_at, run_id from cron_ticks where cron_id = ${cron_id} order by scheduled_at`,
  );

const nextOf = async ({ cron_id }: Cron): Promise<string | null> => {
  const [row] = await opened.database.query<{ next_run_date: string | null }>(
    sql`select next_run_date from crons where cron_id = ${cron_id}`,
  );
  return row?.next_run_date ?? null;
};

describe("a cron that is due", () => {
  it("creates its run, writes the tick down and goes on to the next", async () => {
    const due = await cron({ input: { a: 1 }, metadata: { team: "blue" } });
    const waits = await cron();
    const scheduled = await makeDue(due);
    const ms = await fire();
    const [run] = await runsOf(due);
    expect(run).toMatchObject({
      kwargs: { input: { a: 1 }, temporary: true, stream_mode: ["values"] },
      metadata: { team: "blue", cron_id: due.cron_id, graph_id: "agent" },
    });
    expect(await ticksOf(due)).toEqual([
      { scheduled_at: scheduled.toISOString(), run_id: run?.run_id },
    ]);
    expect(await nextOf(due)).toBe(await nextOf(waits));
    expect(await runsOf(waits)).toEqual([]);
    expect(ms).toBeGreaterThan(0);
    expect(ms).toBeLessThanOrEqual(1_800_000);
  });

  it("on a thread runs there, by its own multitask strategy", async () => {
    const thread_id = await queue.thread();
    await queue.enqueue(thread_id);
    const enqueues = await cron({ thread_id });
    const rejects = await cron({ thread_id, multitask_strategy: "reject" });
    await makeDue(enqueues);
    await makeDue(rejects);
    await fire();
    expect(await runsOf(enqueues)).toMatchObject([{ thread_id }]);
    expect(await runsOf(rejects)).toEqual([]);
    expect(await nextOf(rejects)).toBe(await nextOf(enqueues));
    expect(await queue.runs(thread_id)).toMatchObject([
      { q: "ready" },
      { q: "behind" },
    ]);
  });

  it("leaves the thread of its run there when it is to be kept", async () => {
    const keeps = await cron({ on_run_completed: "keep" });
    await makeDue(keeps);
    await fire();
    const [run] = await runsOf(keeps);
    expect(run?.kwargs.temporary).toBe(false);
    const [thread] = await opened.database.query(
      sql`select temporary, metadata from threads where thread_id = ${run?.thread_id}`,
    );
    expect(thread).toMatchObject({
      temporary: false,
      metadata: { cron_id: keeps.cron_id },
    });
  });

  it("runs with the headers of whoever has created it", async () => {
    const caller = { ...ANONYMOUS, headers: { "x-team": "blue" } };
    const due = await cron({ caller });
    await makeDue(due);
    await fire();
    expect((await runsOf(due))[0]?.kwargs.config).toMatchObject({
      configurable: { "x-team": "blue" },
    });
  });

  it("that is disabled or deleted before anybody came to it does not fire", async () => {
    const [disabled, deleted] = [await cron(), await cron()];
    for (const one of [disabled, deleted]) await makeDue(one);
    await changeCron(queue.deps, ANONYMOUS, {
      cron_id: disabled.cron_id,
      patch: cronPatch.parse({ enabled: false }),
    });
    await removeCron(queue.deps, ANONYMOUS, deleted.cron_id);
    expect(await fire()).toBeNull();
    expect(await runsOf(disabled)).toEqual([]);
    expect(await runsOf(deleted)).toEqual([]);
  });

  it("keeps its run when it is deleted itself", async () => {
    const due = await cron();
    await makeDue(due);
    await fire();
    await removeCron(queue.deps, ANONYMOUS, due.cron_id);
    expect(await runsOf(due)).toHaveLength(1);
    expect(await ticksOf(due)).toEqual([]);
  });

  it("fires for the last time before its end time", async () => {
    const end_time = new Date(Date.now() + 1000).toISOString();
    const due = await cron({ end_time });
    await makeDue(due);
    expect(await fire()).toBeNull();
    expect(await runsOf(due)).toHaveLength(1);
    expect(await nextOf(due)).toBeNull();
  });
});

describe("exactly once", () => {
  it("means one run when several instances fire at once, however many crons are due", async () => {
    const all = await Promise.all(Array.from({ length: 120 }, () => cron()));
    for (const one of all) await makeDue(one, 5);
    await Promise.all([fire(), fire(), fire()]);
    for (const one of all) {
      expect(await runsOf(one)).toHaveLength(1);
      expect(await ticksOf(one)).toHaveLength(1);
    }
  });

  it("holds when a clock is set back and the same tick comes again", async () => {
    const due = await cron();
    const scheduled = await makeDue(due);
    await fire();
    await opened.database.transaction((tx) =>
      tx.query(sql`update crons set next_run_date = ${scheduled}`),
    );
    await fire();
    expect(await runsOf(due)).toHaveLength(1);
    const [rest] = await opened.database.query<{ threads: number }>(
      sql`select count(*) as threads from threads`,
    );
    expect(rest).toEqual({ threads: 1 }); // nothing of the second try is left
    expect(Date.parse((await nextOf(due)) ?? "")).toBeGreaterThan(Date.now());
  });

  it("leaves a tick due when it cannot be stored, with no part of it, and gives it its run later", async () => {
    await opened.close();
    const file = await openTestFile();
    opened = file;
    queue = await openRunQueue(file.database);
    const due = await cron({ input: "x".repeat(100_000) });
    const scheduled = await makeDue(due);
    const giveBack = fillDisk(file.database);
    await expect(fire()).rejects.toMatchObject({ code: "storage_full" });
    expect(await runsOf(due)).toEqual([]);
    expect(await nextOf(due)).toBe(scheduled.toISOString());
    giveBack();
    await fire();
    expect(await runsOf(due)).toHaveLength(1);
  });

  it("holds up no other cron when one of them cannot create its run", async () => {
    const thread_id = await queue.thread();
    await queue.enqueue(thread_id);
    const refused = await Promise.all(
      Array.from({ length: 30 }, () =>
        cron({ thread_id, multitask_strategy: "reject" }),
      ),
    );
    const fine = await cron();
    for (const one of refused) await makeDue(one, 10);
    await makeDue(fine);
    await fire();
    expect(await runsOf(fine)).toHaveLength(1);
  });

  it("goes for each of the ticks of a schedule by the second", async () => {
    const due = await cron({ schedule: "* * * * * *" });
    const scheduled = await makeDue(due, 5);
    scheduled.setMilliseconds(0);
    await opened.database.transaction((tx) =>
      tx.query(sql`update crons set next_run_date = ${scheduled}`),
    );
    await fire();
    const ticks = await ticksOf(due);
    expect(ticks.length).toBeGreaterThanOrEqual(5);
    expect(ticks.map(({ scheduled_at }) => Date.parse(scheduled_at))).toEqual(
      ticks.map((_, index) => scheduled.getTime() + index * 1000),
    );
    expect(await runsOf(due)).toHaveLength(ticks.length);
  });
});

describe("ticks that were missed while nobody was there", () => {
  it("get one run, and the next tick is to come", async () => {
    const due = await cron();
    await makeDue(due, 86_400);
    await fire();
    expect(await runsOf(due)).toHaveLength(1);
    expect(Date.parse((await nextOf(due)) ?? "")).toBeGreaterThan(Date.now());
  });

  it("get none when they are to be skipped", async () => {
    const due = await cron();
    await makeDue(due, 86_400);
    await fire({}, "skip");
    expect(await runsOf(due)).toEqual([]);
    expect(Date.parse((await nextOf(due)) ?? "")).toBeGreaterThan(Date.now());
  });
});

it("a thread that goes takes its crons and their ticks with it", async () => {
  const thread_id = await queue.thread();
  const due = await cron({ thread_id });
  await makeDue(due);
  await fire();
  await opened.database.transaction((tx) => deleteThread(tx, thread_id, null));
  expect(await fire()).toBeNull();
  expect(await ticksOf(due)).toEqual([]);
});

it("ticks are forgotten when they are old, some at a time", async () => {
  const due = await cron({ schedule: "* * * * * *" });
  const scheduled = await makeDue(due, 4);
  await fire();
  const count = (await ticksOf(due)).length;
  const forget = (firedBefore: Date) =>
    opened.database.transaction((tx) =>
      deleteOldTicks(tx, { firedBefore, limit: 3 }),
    );
  expect(await forget(scheduled)).toBe(0);
  expect(await forget(new Date(Date.now() + 1000))).toBe(3);
  expect(await ticksOf(due)).toHaveLength(count - 3);
});
