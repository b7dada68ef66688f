/**
 * Workers and the server are killed with kill -9, again and again, while
 * clients start, follow, stop and answer runs. Each client keeps every frame
 * that it sees. In the end every acknowledged run is there and has ended, no
 * thread has ever had two runs at once, and what each reader saw is the log.
 *
 * `CHAOS_SECONDS` and `CHAOS_CLIENTS` make it longer; `CHAOS_SEED` repeats a choice of operations.
 */
import { expect, test } from "vitest";
import { killIfAlive } from "../support/processes.ts";
import { Random } from "../support/random.ts";
import {
  CRASH_GRAPHS,
  startServer,
  type TestServer,
} from "../support/server.ts";
import { sseFrames, type WireFrame } from "../support/sse-frames.ts";
import { waitFor } from "../support/wait.ts";
import { checkJobs } from "./check-jobs.ts";
import { checkReaders } from "./check-streams.ts";
import { checkTurns } from "./check-turns.ts";
import { requireWhole } from "./data-folder.ts";
import type { FollowedRun } from "./followed-run.ts";
import { untilIdle } from "./load.ts";
import { inRound, SEED } from "./seed.ts";
import { notesOf, StreamClient } from "./stream-client.ts";
import { WhatIsThere } from "./what-is-there.ts";

const SECONDS = Number(process.env["CHAOS_SECONDS"] ?? 30);
const CLIENTS = Number(process.env["CHAOS_CLIENTS"] ?? 32);

const KILLS = ["one worker", "server", "all workers"] as const;
type Kill = (typeof KILLS)[number];

test(
  "what readers saw is the log, and every run ends, whatever is killed",
  { timeout: 120_000 + SECONDS * 3000 },
  async () => {
    const server = await startServer({
      config: CRASH_GRAPHS,
      workers: 2,
      // What is lost is the question here, not when to give up.
      env: { BG_JOB_MAX_RETRIES: "1000" },
    });
    const random = new Random(SEED);
    const clients = Array.from(
      { length: CLIENTS },
      (_, n) =>
        new StreamClient({
          server,
          random: new Random(SEED + n + 1),
          name: `c${n}`,
        }),
    );
    const kills = await underLoad(clients, (signal) =>
      killing({ server, clients, random, signal }),
    );
    const counts = await inRound(kills.length, async () => {
      await untilIdle(server);
      return checkAll(server, clients);
    });
    await server.stop();
    await requireWhole(server.dataDir);
    expectOfEverything(kills, counts);
  },
);

/** Rejects with what a client saw and may not have seen; then nothing is killed any more. */
async function underLoad<T>(
  clients: StreamClient[],
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const stop = new AbortController();
  // The first that is done or has failed ends it for all.
  const ending = <R>(one: Promise<R>) => one.finally(() => stop.abort());
  const working = clients.map((client) => ending(client.work(stop.signal)));
  const done = ending(work(stop.signal));
  await Promise.allSettled([done, ...working]);
  await Promise.all(working);
  return done;
}

async function killing(params: {
  server: TestServer;
  clients: StreamClient[];
  random: Random;
  signal: AbortSignal;
}): Promise<Kill[]> {
  const { server, clients, random, signal } = params;
  const kills: Kill[] = [];
  const end = Date.now() + SECONDS * 1000;
  // Each kind once, however slow the machine is.
  while (Date.now() < end || kills.length < KILLS.length) {
    await someMoreFrames(clients, random.between(20, 400), signal);
    const kill =
      KILLS[kills.length] ??
      random.weighted({ "one worker": 3, "all workers": 1, server: 3 });
    kills.push(kill);
    if (kill === "server") {
      await server.kill9();
      await server.start();
      continue;
    }
    const workers = server.workerPids();
    const one = random.between(0, workers.length);
    for (const [index, pid] of workers.entries())
      if (kill === "all workers" || index === one) killIfAlive(pid);
  }
  return kills;
}

const sum = (numbers: number[]): number => numbers.reduce((a, b) => a + b, 0);

async function someMoreFrames(
  clients: StreamClient[],
  count: number,
  signal: AbortSignal,
): Promise<void> {
  const seen = () => sum(clients.map(({ framesSeen }) => framesSeen));
  const wanted = seen() + count;
  await waitFor("clients see frames", () => seen() >= wanted, {
    timeoutMs: 60_000,
    everyMs: 5,
    signal,
  });
}

interface Counts {
  runs: number;
  stopped: number;
  answered: number;
  resumed: number;
  retried: number;
  lost: number;
}

async function checkAll(
  server: TestServer,
  clients: StreamClient[],
): Promise<Counts> {
  const there = new WhatIsThere(server);
  const counts = { runs: 0, stopped: 0, resumed: 0, retried: 0, lost: 0 };
  for (const { threads, runs, jobs } of clients) {
    for (const thread_id of threads) {
      checkTurns(thread_id, notesOf(server, thread_id));
      const own = jobs.filter((job) => job.thread_id === thread_id);
      checkJobs(thread_id, own, await there.log(thread_id));
      const found = await there.runs(thread_id);
      const ops = runs
        .filter((run) => run.thread_id === thread_id)
        .map(({ op }) => op);
      expect(found.map(({ op }) => op).sort()).toEqual(ops.sort());
    }
    for (const run of runs) {
      counts.runs += 1;
      const { status } = await server.client.runs.get(
        run.thread_id,
        run.run_id,
      );
      const allowed = run.mayBeStopped
        ? ["success", "interrupted"]
        : ["success"];
      expect(allowed, `status of run ${run.run_id}`).toContain(status);
      if (status === "interrupted") counts.stopped += 1;
      const log = await replay(server, run);
      const { lost } = checkReaders(run, log);
      counts.lost += lost;
      counts.resumed += sum(run.readers.map(({ resumed }) => resumed));
      const attempts = log.filter(({ event }) => event === "metadata");
      if (attempts.length > 1) counts.retried += 1;
    }
  }
  return { ...counts, answered: sum(clients.map(({ answered }) => answered)) };
}

async function replay(
  server: TestServer,
  { thread_id, run_id }: FollowedRun,
): Promise<WireFrame[]> {
  const answer = await server.fetch(
    `/threads/${thread_id}/runs/${run_id}/stream`,
    { headers: { "last-event-id": "-1" } },
  );
  if (answer.body === null) throw new Error("a stream without a body");
  const frames: WireFrame[] = [];
  for await (const frame of sseFrames(answer.body)) frames.push(frame);
  return frames;
}

/** A test that has tested nothing fails. */
function expectOfEverything(kills: Kill[], counts: Counts): void {
  const all = { kills: kills.length, ...counts };
  process.stderr.write(`${JSON.stringify(all)}\n`);
  const { lost: _, ...wanted } = counts;
  for (const [what, count] of Object.entries(wanted))
    expect(count, `runs: ${what}`).toBeGreaterThan(0);
}
