/**
 * The server is killed with kill -9 while clients create threads and start
 * runs. Each client writes down, on disk, what it was told; after the last
 * restart all of that must be there, and every run must have come to its end.
 * `CHAOS_ROUNDS` and `CHAOS_CLIENTS` make it longer.
 */
import { randomInt } from "node:crypto";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Client } from "@langchain/langgraph-sdk";
import { expect, test, vi } from "vitest";
import { readNotes, repeatedAfterStored } from "../support/diary.ts";
import { Ledger } from "../support/ledger.ts";
import { isAlive } from "../support/processes.ts";
import { collect, type Frame } from "../support/sdk.ts";
import {
  CRASH_GRAPHS,
  startServer,
  type TestServer,
} from "../support/server.ts";
import { waitFor } from "../support/wait.ts";

// A server starts several times in each of these.
vi.setConfig({ testTimeout: 90_000 });

const ROUNDS = Number(process.env["CHAOS_ROUNDS"] ?? 3);
const CLIENTS = Number(process.env["CHAOS_CLIENTS"] ?? 6);
const STEPS = 5;
const allSteps = Array.from({ length: STEPS }, (_, n) => n + 1);

type Told =
  | { kind: "thread"; thread_id: string }
  | { kind: "run"; thread_id: string; run_id: string; file: string }
  | { kind: "checkpoint"; thread_id: string; checkpoint_id: string };

interface Load {
  server: TestServer;
  ledger: Ledger<Told>;
  signal: AbortSignal;
}

/** One client: a new thread with two runs and a look at its history, again and again. */
async function clientLoop({ server, ledger, signal }: Load): Promise<void> {
  while (!signal.aborted)
    await oneThread({ server, ledger, signal }).catch(async () => {
      // The server was killed: nothing was acknowledged, so nothing is owed.
      await delay(20);
    });
}

async function oneThread({ server, ledger }: Load): Promise<void> {
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create({ metadata: { chaos: true } });
  ledger.record({ kind: "thread", thread_id });
  for (const n of [1, 2]) {
    const file = join(server.directory, `${thread_id}-${n}.notes`);
    const { run_id } = await runs.create(thread_id, "counted", {
      input: { file, steps: STEPS * n, ms: 15 },
      durability: "sync",
    });
    ledger.record({ kind: "run", thread_id, run_id, file });
  }
  await delay(randomInt(150));
  const history = await threads.getHistory(thread_id, { limit: 100 });
  for (const { checkpoint } of history)
    ledger.record({
      kind: "checkpoint",
      thread_id,
      checkpoint_id: checkpoint.checkpoint_id ?? "",
    });
}

/** Several kills under load; gives what the clients were told. */
async function killRepeatedly(server: TestServer): Promise<Told[]> {
  using ledger = new Ledger<Told>(join(server.directory, "ledger"));
  const stop = new AbortController();
  const load = { server, ledger, signal: stop.signal };
  const clients = Array.from({ length: CLIENTS }, () => clientLoop(load));
  for (let round = 0; round < ROUNDS; round += 1) {
    await delay(300 + randomInt(500));
    await server.kill9();
    await server.start();
  }
  stop.abort();
  await Promise.all(clients);
  return ledger.entries();
}

const byKind = <Kind extends Told["kind"]>(told: Told[], kind: Kind) =>
  told.filter((entry) => entry.kind === kind) as Extract<
    Told,
    { kind: Kind }
  >[];

test(
  "whatever was acknowledged survives kill -9, and every run comes to its end",
  { timeout: 60_000 + ROUNDS * 20_000 },
  async () => {
    const server = await startServer({
      config: CRASH_GRAPHS,
      // What is lost is the question here, not when to give up.
      env: { BG_JOB_MAX_RETRIES: String(ROUNDS) },
    });
    const told = await killRepeatedly(server);
    const { threads, runs } = server.client;
    const accepted = byKind(told, "run");
    expect(accepted.length).toBeGreaterThan(CLIENTS);

    await waitFor(
      "every accepted run has ended",
      async () => {
        const open = await threads.count({ status: "busy" });
        return open === 0;
      },
      { timeoutMs: 45_000, everyMs: 100 },
    );

    for (const { thread_id, run_id, file } of accepted) {
      const { status } = await runs.get(thread_id, run_id);
      expect([run_id, status]).toEqual([run_id, "success"]);
      const notes = readNotes(file);
      expect([file, repeatedAfterStored(notes)]).toEqual([file, []]);
    }
    for (const { thread_id } of byKind(told, "thread"))
      await expectWholeThread(server, thread_id, told);
  },
);

/** All acknowledged checkpoints are there, and the history is one chain without holes. */
async function expectWholeThread(
  server: TestServer,
  thread_id: string,
  told: Told[],
): Promise<void> {
  const { threads } = server.client;
  const thread = await threads.get(thread_id);
  expect([thread_id, thread.status]).toEqual([thread_id, "idle"]);
  const history = await threads.getHistory(thread_id, { limit: 1000 });
  const ids = history.map(({ checkpoint }) => checkpoint.checkpoint_id);
  const seen = byKind(told, "checkpoint").filter(
    (entry) => entry.thread_id === thread_id,
  );
  for (const { checkpoint_id } of seen) expect(ids).toContain(checkpoint_id);
  const parents = history.map(
    ({ parent_checkpoint }) => parent_checkpoint?.checkpoint_id,
  );
  expect(parents.slice(0, -1)).toEqual(ids.slice(1));
  const runCount = byKind(told, "run").filter(
    (entry) => entry.thread_id === thread_id,
  ).length;
  if (runCount > 0) {
    const { done } = thread.values as { done: number[] };
    // Both runs go on from where the thread is: 5 steps, then up to 10.
    expect(done.slice(0, STEPS)).toEqual(allSteps);
    expect(done).toEqual(done.map((_, n) => n + 1));
  }
}

test("a run that was cut off goes on at the next start with the step it was at, at once", async () => {
  const server = await startServer({ config: CRASH_GRAPHS });
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  const file = join(server.directory, "notes");
  const { run_id } = await runs.create(thread_id, "counted", {
    input: { file, steps: 4, ms: 400 },
    durability: "sync",
  });
  await waitFor("the third step runs", () => readNotes(file).length === 3);
  const before = await threads.getHistory(thread_id, { limit: 100 });
  await server.kill9();
  await server.start();
  const ready = Date.now();
  const values = await runs.join(thread_id, run_id);
  expect(Date.now() - ready).toBeLessThan(3000);
  expect(values).toMatchObject({ done: [1, 2, 3, 4] });
  expect(readNotes(file).map(({ step }) => step)).toEqual([1, 2, 3, 3, 4]);

  // The input is there once: one input checkpoint, and the old ones unchanged.
  const after = await threads.getHistory(thread_id, { limit: 100 });
  expect(after.map(({ metadata }) => metadata?.source)).toEqual([
    ...Array.from({ length: 5 }, () => "loop"),
    "input",
  ]);
  expect(
    after.slice(-before.length).map(({ checkpoint }) => checkpoint),
  ).toEqual(before.map(({ checkpoint }) => checkpoint));
});

test("a server that is killed again and again spends no attempts of its runs", async () => {
  const server = await startServer({ config: CRASH_GRAPHS, workers: 1 });
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  const file = join(server.directory, "notes");
  const { run_id } = await runs.create(thread_id, "counted", {
    input: { file, steps: 12, ms: 250 },
    durability: "sync",
  });
  // More often than a run whose worker dies would be tried again.
  for (let kills = 1; kills <= 5; kills += 1) {
    await waitFor("the run moves on", () => {
      const steps = readNotes(file).map(({ step }) => Number(step));
      return Math.max(0, ...steps) > 2 * kills - 1;
    });
    await server.kill9();
    await server.start();
  }
  await runs.join(thread_id, run_id);
  expect((await runs.get(thread_id, run_id)).status).toBe("success");
  expect(repeatedAfterStored(readNotes(file))).toEqual([]);
});

test("a thread with supersteps is whole the moment after its creation was answered", async () => {
  const server = await startServer();
  const created = await server.send("POST", "/threads", {
    metadata: { graph_id: "approval" },
    supersteps: [
      { updates: [{ values: { to: "Ada" }, as_node: "__input__" }] },
      { updates: [{ values: { to: "Ada" }, as_node: "__start__" }] },
      { updates: [{ values: { letter: "Hi" }, as_node: "write" }] },
    ],
  });
  const thread = (await created.json()) as { thread_id: string };
  await server.kill9();
  await server.start();
  const { threads } = server.client;
  expect(await threads.get(thread.thread_id)).toEqual(thread);
  const history = await threads.getHistory(thread.thread_id);
  expect(history.map(({ next }) => next)).toEqual([
    ["approve"],
    ["write"],
    ["__start__"],
  ]);
});

test("a client's stream finds its way back to the run after kill -9 of the server", async () => {
  const server = await startServer({ config: CRASH_GRAPHS });
  const { threads, runs } = new Client({ apiUrl: server.url });
  const { thread_id } = await threads.create();
  const file = join(server.directory, "notes");
  const stream = collect(
    runs.stream(thread_id, "counted", {
      input: { file, steps: 6, ms: 300 },
      streamMode: "updates",
      streamResumable: true,
      durability: "sync",
    }),
  );
  await waitFor("the third step runs", () => readNotes(file).length === 3);
  await server.kill9();
  await server.start();
  const frames = await stream;
  expect(stepsOf(frames)).toEqual([1, 2, 3, 4, 5, 6]);
  expect(frames.at(-1)).toMatchObject({ event: "end" });
  const ids = frames.map(({ id }) => Number(id));
  expect(ids).toEqual([...new Set(ids)].sort((a, b) => a - b));
});

const stepsOf = (frames: Frame[]): number[] =>
  frames
    .filter(({ event }) => event === "updates")
    .map(
      ({ data }) => (data as { work: { done: number[] } }).work.done[0] ?? 0,
    );

test("the workers of a killed server go with it", async () => {
  const server = await startServer({ config: CRASH_GRAPHS, workers: 2 });
  const workers = server.workerPids();
  expect(workers.length).toBeGreaterThanOrEqual(2);
  await server.kill9();
  await waitFor("no worker is left", () => !workers.some(isAlive));
});
