import { once } from "node:events";
import { pino } from "pino";
import { afterEach, beforeEach, expect, it } from "vitest";
import { Duty, type DutyParams } from "../../src/engine/duty.ts";
import { deferred } from "../../src/lib/deferred.ts";
import type { Database } from "../../src/storage/database.ts";
import { takeDuty } from "../../src/storage/duties.ts";
import { sql } from "../../src/storage/sql.ts";
import { openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { shared } from "../support/shared-database.ts";
import { waitFor } from "../support/wait.ts";
import { isOnPostgres } from "../support/postgres.ts";

let opened: TestDatabase;
let database: Database;
let duties: Duty[] = [];
let logged: string[] = [];

beforeEach(async () => {
  opened = await openTestDatabase();
  database = shared(opened.database);
  duties = [];
  logged = [];
});

afterEach(async () => {
  for (const duty of duties) await duty.close();
  await opened.close();
});

/** An instance that has the duty, or waits for it. Its lease is short, so that a test need not wait for long. */
async function instance(
  params: Partial<DutyParams> = {},
  options: { on?: Database; leaseMs?: number; beatMs?: number } = {},
) {
  const { on = database, leaseMs = 300, beatMs = 50 } = options;
  const calls: AbortSignal[] = [];
  const log = pino({}, { write: (line: string) => void logged.push(line) });
  const duty = new Duty(
    { database: on, log, lease: { leaseMs, beatMs } },
    {
      name: "sweep",
      everyMs: 600_000,
      ...params,
      work: async (signal) => {
        calls.push(signal);
        return params.work === undefined ? null : params.work(signal);
      },
    },
  );
  duties.push(duty);
  await duty.start();
  return { duty, calls };
}

const take = (owner: string, leaseMs: number) =>
  takeDuty(database, { name: "sweep", owner, leaseMs });

const owners = () =>
  database.query<{ owner: string }>(sql`select owner from duties`);

it("is taken by one instance, however many want it", async () => {
  const all = await Promise.all(Array.from({ length: 8 }, () => instance()));
  expect(all.filter(({ calls }) => calls.length > 0)).toHaveLength(1);
  expect(await owners()).toHaveLength(1);
});

it("is renewed while it is held, work or no work, so that nobody else gets it", async () => {
  const done = deferred<null>();
  const holder = await instance({ work: () => done.promise }, { leaseMs: 800 });
  const [before] = await owners();
  const end = performance.now() + 1700;
  await waitFor("two leases have passed", async () => {
    expect(await take("another", 1000)).toBe(false);
    return performance.now() > end;
  });
  done.resolve(null);
  expect(await owners()).toEqual([before]);
  expect(holder.calls[0]?.aborted).toBe(false);
});

it("goes to who waits for it as soon as its holder closes, whose work ends first", async () => {
  const order: string[] = [];
  const first = await instance(
    {
      work: async (signal) => {
        await once(signal, "abort");
        order.push("the work of the first heeds the signal");
        return null;
      },
    },
    { leaseMs: 600_000, beatMs: 600_000 },
  );
  const second = await instance(
    {
      work: () => {
        order.push("the second works");
        return Promise.resolve(null);
      },
    },
    { leaseMs: 600_000, beatMs: 600_000 },
  );
  expect(second.calls).toEqual([]);
  await first.duty.close();
  await waitFor("the second has it", () => second.calls.length > 0);
  expect(order).toEqual([
    "the work of the first heeds the signal",
    "the second works",
  ]);
});

it("is taken over once the lease of a dead instance has ended, and not before", async () => {
  expect(await take("dead", 400)).toBe(true);
  const taken = performance.now();
  const { calls } = await instance();
  await waitFor("it is taken over", () => calls.length > 0, { everyMs: 5 });
  expect(performance.now() - taken).toBeGreaterThan(390);
});

it("tells the work that the duty is another's", async () => {
  const { calls } = await instance({
    work: async (signal) => {
      await once(signal, "abort");
      return null;
    },
  });
  // As if this instance had been stopped for longer than its lease.
  await database.transaction((tx) =>
    tx.query(sql`update duties set owner = 'another'`),
  );
  await waitFor("the signal fires", () => calls[0]?.aborted);
});

it("gives the duty up by its own clock when the database cannot be asked", async () => {
  let isDown = false;
  const on: Database = {
    ...database,
    write: (statement) =>
      isDown
        ? Promise.reject(new Error("the database is away"))
        : database.write(statement),
  };
  const { calls } = await instance(
    { work: (signal) => once(signal, "abort").then(() => null) },
    { on },
  );
  isDown = true;
  await waitFor("the signal fires", () => calls[0]?.aborted);
  isDown = false;
  await waitFor("it is taken again", () => calls.length === 2);
});

it.skipIf(isOnPostgres())(
  "is taken at once on a database that no other process has, whoever died with it",
  async () => {
    expect(await take("dead", 600_000)).toBe(true);
    const { calls } = await instance({}, { on: opened.database });
    expect(calls).toHaveLength(1);
  },
);

it("calls the work when it wants to be called, when it is woken, and when there is news", async () => {
  let next: number | null = null;
  const { duty, calls } = await instance({
    channel: "news",
    work: () => Promise.resolve(next),
  });
  expect(calls).toHaveLength(1);
  duty.wake();
  await waitFor("woken", () => calls.length === 2);
  next = 20;
  database.notify("news", "");
  await waitFor("notified, then by its own wish", () => calls.length > 4);
});

it("goes on after a call that fails, and says so", async () => {
  const { calls } = await instance({
    everyMs: 20,
    work: () => Promise.reject(new Error("no luck")),
  });
  await waitFor("it is called again", () => calls.length > 2);
  expect(logged.join("")).toContain("no luck");
});

it("never has two calls at once, and calls again for what came meanwhile", async () => {
  const gates = [deferred<null>(), deferred<null>()];
  const waiting = gates.values();
  let atOnce = 0;
  let most = 0;
  const { duty, calls } = await instance({
    work: async () => {
      most = Math.max(most, (atOnce += 1));
      await waiting.next().value?.promise;
      atOnce -= 1;
      return null;
    },
  });
  duty.wake();
  duty.wake();
  expect(calls).toHaveLength(1);
  gates[0]?.resolve(null);
  await waitFor("the second call", () => calls.length === 2);
  gates[1]?.resolve(null);
  await duty.close();
  expect(calls).toHaveLength(2);
  expect(most).toBe(1);
});
