import { expect } from "vitest";
import type { Served } from "../support/served.ts";
import { sseFrames, type WireFrame } from "../support/sse-frames.ts";
import { waitFor } from "../support/wait.ts";
import { checkJobs } from "./check-jobs.ts";
import { checkReaders } from "./check-streams.ts";
import { checkTurns } from "./check-turns.ts";
import type { FollowedRun } from "./followed-run.ts";
import { notesOf, type StreamClient } from "./stream-client.ts";
import { WhatIsThere } from "./what-is-there.ts";

/** Rejects with what a client saw and may not have seen; then nothing is killed any more. */
export async function underLoad<T>(
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

const sum = (numbers: number[]): number => numbers.reduce((a, b) => a + b, 0);

/** Resolves when the readers of all clients have seen so many more frames. */
export async function someMoreFrames(
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

/** Throws for the first run that is not what its client saw of it. */
export async function checkFollowed(
  server: Served,
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
  server: Served,
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
export function expectOfEverything(kills: number, counts: Counts): void {
  const all = { kills, ...counts };
  process.stderr.write(`${JSON.stringify(all)}\n`);
  const { lost: _, ...wanted } = counts;
  for (const [what, count] of Object.entries(wanted))
    expect(count, `runs: ${what}`).toBeGreaterThan(0);
}
