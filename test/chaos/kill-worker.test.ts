/**
 * Workers die in every way that user code and machines know. A run whose worker
 * dies goes on in another; the server, its streams and the other runs do not notice.
 */
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { readNotes, repeatedAfterStored } from "../support/diary.ts";
import { killIfAlive } from "../support/processes.ts";
import { collect, dataOf } from "../support/sdk.ts";
import {
  CRASH_GRAPHS,
  startServer,
  type TestServer,
} from "../support/server.ts";
import { waitFor } from "../support/wait.ts";

// Killed workers load the project again, which takes its time on a loaded machine.
vi.setConfig({ testTimeout: 90_000 });

/** Runs of ten steps have room for no more. More kills: kill-worker-rounds.test.ts. */
const KILLS = 2; // of workers of one run: a third would be its last

/** A run of `counted` and its only connection, which is never opened again. */
async function rawStream(server: TestServer, name: string, steps: number) {
  const { thread_id } = await server.client.threads.create();
  const file = join(server.directory, name);
  const answer = await server.send(
    "POST",
    `/threads/${thread_id}/runs/stream`,
    {
      assistant_id: "counted",
      input: { file, steps, ms: 200 },
      stream_mode: ["updates"],
      durability: "sync",
    },
  );
  return { file, thread_id, text: answer.text() };
}

test("process.exit costs its run one attempt, and nothing else", async () => {
  const server = await startServer({ config: CRASH_GRAPHS, workers: 2 });
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  const file = join(server.directory, "notes");
  const other = await rawStream(server, "other", 8);
  const frames = await collect(
    runs.stream(thread_id, "exits", {
      input: { file, times: 1 },
      streamMode: "values",
      durability: "sync",
    }),
  );
  expect(dataOf(frames, "metadata")).toMatchObject([
    { attempt: 1 },
    { attempt: 2 },
  ]);
  expect(dataOf(frames, "error")).toEqual([]);
  expect(dataOf(frames, "values").at(-1)).toMatchObject({
    log: ["before", "survived"],
  });
  expect(frames.at(-1)).toMatchObject({ data: { status: "success" } });
  // The first step was stored, so it did not run again.
  expect(readNotes(file).map(({ step }) => step)).toEqual([
    "before",
    "fall",
    "fall",
  ]);
  expect(new Set(readNotes(file).map(({ pid }) => pid)).size).toBe(2);

  expect(await other.text).toContain('"status":"success"');
  expect(repeatedAfterStored(readNotes(other.file))).toEqual([]);
  expect((await server.fetch("/ok")).status).toBe(200);
});

test("a graph that always takes its process down ends in an error that says so", async () => {
  const server = await startServer({ config: CRASH_GRAPHS, workers: 1 });
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  const file = join(server.directory, "notes");
  const values = (await runs.wait(thread_id, "exits", {
    input: { file, times: 100 },
    durability: "sync",
    raiseError: false,
  })) as { __error__?: { message: string } };
  expect(values.__error__?.message).toMatch(/worker .* died 3 times/);
  expect(await threads.get(thread_id)).toMatchObject({ status: "error" });
  // None of them repeated the first step.
  expect(readNotes(file).map(({ step }) => step)).toEqual([
    "before",
    ...Array.from({ length: 3 }, () => "fall"),
  ]);
  const next = await threads.create();
  expect(
    await runs.wait(next.thread_id, "huge", {
      input: { megabytes: 1, pieces: 1 },
    }),
  ).toHaveProperty("blobs");
});

test("streams stay open while workers are killed with kill -9, and their runs complete", async () => {
  const server = await startServer({
    config: CRASH_GRAPHS,
    workers: 2,
    // Nothing tells these deaths from those that a run causes.
    env: { BG_JOB_MAX_RETRIES: "10" },
  });
  const streams = await Promise.all(
    Array.from({ length: 6 }, (_, n) => rawStream(server, `run-${n}`, 10)),
  );
  const [first] = streams;
  for (let round = 1; round <= KILLS; round += 1) {
    await waitFor("the runs have moved on", () => {
      const steps = readNotes(first?.file ?? "").map(({ step }) =>
        Number(step),
      );
      return Math.max(0, ...steps) >= 2 * round;
    });
    const notes = readNotes(first?.file ?? "");
    killIfAlive(notes.at(-1)?.pid ?? 0);
  }
  for (const { text, file, thread_id } of streams) {
    expect(await text).toContain('"status":"success"');
    expect([file, repeatedAfterStored(readNotes(file))]).toEqual([file, []]);
    const { values } = await server.client.threads.getState(thread_id);
    expect(values).toMatchObject({ done: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10] });
  }
});

test("all workers killed at once are replaced, and their runs go on", async () => {
  const server = await startServer({ config: CRASH_GRAPHS, workers: 3 });
  const streams = await Promise.all(
    Array.from({ length: 6 }, (_, n) => rawStream(server, `run-${n}`, 5)),
  );
  await waitFor("every run has started", () =>
    streams.every(({ file }) => readNotes(file).length > 0),
  );
  const start = Date.now();
  for (const pid of server.workerPids()) killIfAlive(pid);
  expect((await server.fetch("/ok")).status).toBe(200);
  for (const { text } of streams)
    expect(await text).toContain('"status":"success"');
  expect(Date.now() - start).toBeLessThan(15_000);
  const lost = server
    .output()
    .matchAll(/a worker died and is replaced .*runs=(\d+)/g);
  const counts = [...lost].map(([, runs]) => Number(runs));
  // One may go from a worker that is killed to one that is killed next.
  expect(counts.reduce((sum, runs) => sum + runs, 0)).toBeGreaterThanOrEqual(6);
});

test("a state can be read while the worker that would compute it is killed", async () => {
  const server = await startServer({ config: CRASH_GRAPHS, workers: 1 });
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  const file = join(server.directory, "notes");
  await runs.wait(thread_id, "counted", { input: { file, steps: 2, ms: 1 } });
  for (const pid of server.workerPids()) killIfAlive(pid);
  const [state, history] = await Promise.all([
    threads.getState(thread_id),
    threads.getHistory(thread_id),
  ]);
  expect(state.values).toMatchObject({ done: [1, 2] });
  expect(history).toHaveLength(4);
});

test.each(["uncaught", "unhandled rejection"])(
  "an exception outside of any node (%s) leaves server and other runs well",
  async (kind) => {
    const server = await startServer({ config: CRASH_GRAPHS, workers: 1 });
    const { threads, runs } = server.client;
    const { thread_id } = await threads.create();
    const run = await runs.create(thread_id, "throws", { input: { kind } });
    const other = await rawStream(server, "other", 3);
    await runs.join(thread_id, run.run_id);
    const { status } = await runs.get(thread_id, run.run_id);
    expect(["error", "success"]).toContain(status);
    expect(await other.text).toContain('"status":"success"');
    await waitFor("the log has told of it", () =>
      server.output().includes("CustomError"),
    );
  },
);

test("what graphs print is in the log of the server, with the id of the run", async () => {
  const server = await startServer({
    config: CRASH_GRAPHS,
    workers: 1,
    env: { LOG_JSON: "true" },
  });
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  const { run_id } = await runs.create(thread_id, "prints", {
    input: { lines: 2000, word: "parrot" },
  });
  expect(await runs.join(thread_id, run_id)).toMatchObject({ printed: 2000 });
  for (const text of [
    "parrot log 1",
    "parrot log 2000",
    "parrot error 2000",
    "parrot stdout 2000",
    "parrot without a newline",
  ])
    await waitFor(`"${text}" is printed`, () => server.output().includes(text));
  const line = server
    .output()
    .split("\n")
    .find((text) => text.includes('"parrot log 1"'));
  expect(JSON.parse(line ?? "{}")).toMatchObject({ run_id });
});

test("a cancel is certain, even when the graph ignores it", async () => {
  const server = await startServer({ config: CRASH_GRAPHS, workers: 1 });
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  const file = join(server.directory, "notes");
  const run = await runs.create(thread_id, "blocks", {
    input: { ms: 600_000 },
  });
  await waitFor("the run runs", async () => {
    const { status } = await runs.get(thread_id, run.run_id);
    return status === "running";
  });
  await runs.cancel(thread_id, run.run_id, true);
  expect((await runs.get(thread_id, run.run_id)).status).toBe("interrupted");
  // The worker that was blocked has been replaced.
  const next = await threads.create();
  const values = await runs.wait(next.thread_id, "counted", {
    input: { file, steps: 1, ms: 1 },
  });
  expect(values).toMatchObject({ done: [1] });
});

test("a worker that is ended because of one run costs its other runs no attempt", async () => {
  const server = await startServer({
    config: CRASH_GRAPHS,
    workers: 1,
    env: { BG_JOB_MAX_RETRIES: "0" },
  });
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  const other = await rawStream(server, "other", 8);
  await waitFor("the other run runs", () => readNotes(other.file).length > 0);
  const { run_id } = await runs.create(thread_id, "blocks", {
    input: { ms: 600_000 },
  });
  await waitFor("the run runs", async () => {
    const { status } = await runs.get(thread_id, run_id);
    return status === "running";
  });
  await runs.cancel(thread_id, run_id, true);
  expect((await runs.get(thread_id, run_id)).status).toBe("interrupted");
  expect(await other.text).toContain('"status":"success"');
});

test("a run that takes its worker down again and again does not take the others' attempts", async () => {
  const server = await startServer({ config: CRASH_GRAPHS, workers: 1 });
  const { threads, runs } = server.client;
  const other = await rawStream(server, "other", 20);
  await waitFor("the other run runs", () => readNotes(other.file).length > 0);
  const { thread_id } = await threads.create();
  const file = join(server.directory, "notes");
  const { run_id } = await runs.create(thread_id, "exits", {
    input: { file, times: 100 },
  });
  await runs.join(thread_id, run_id);
  expect((await runs.get(thread_id, run_id)).status).toBe("error");
  expect(await other.text).toContain('"status":"success"');
});
