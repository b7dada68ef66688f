/**
 * Graphs that end their own worker, or keep it from answering, in the ways
 * that no `catch` can stop: who pays for it, how soon, and what is said.
 */
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { readNotes } from "../support/diary.ts";
import { killIfAlive } from "../support/processes.ts";
import { collect, dataOf } from "../support/sdk.ts";
import {
  CRASH_GRAPHS,
  startServer,
  type TestServer,
} from "../support/server.ts";
import { waitFor } from "../support/wait.ts";

vi.setConfig({ testTimeout: 90_000 });

const onThread = async ({ client }: TestServer) =>
  (await client.threads.create()).thread_id;

/** A run of `exits` that never survives, to its end. Gives what is said of it. */
async function culprit(server: TestServer, name: string) {
  const values = await server.client.runs.wait(
    await onThread(server),
    "exits",
    {
      input: { file: join(server.directory, name), times: 100 },
      raiseError: false,
    },
  );
  return (values as { __error__?: { error: string; message: string } })
    .__error__;
}

/** Resolves when both have loaded the project: a server is ready with the first. */
async function bothWorkers(server: TestServer): Promise<void> {
  await waitFor("both workers take runs", async () => {
    const files = ["one", "other"].map((name) => join(server.directory, name));
    await Promise.all(
      files.map(async (file) =>
        server.client.runs.wait(await onThread(server), "counted", {
          input: { file, steps: 1, ms: 100 },
        }),
      ),
    );
    const [one, other] = files.map((file) => readNotes(file).at(-1)?.pid);
    return one !== other;
  });
}

test.each(["exit", "abort", "segfault", "memory"])(
  "a run whose worker dies (%s) goes on in another within a second, in the same stream",
  // A loaded machine may be slower once.
  { retry: 2 },
  async (how) => {
    const server = await startServer({
      config: CRASH_GRAPHS,
      workers: 2,
      flags: ["--worker-heap", "128"],
    });
    await bothWorkers(server);
    const file = join(server.directory, "notes");
    const frames = await collect(
      server.client.runs.stream(await onThread(server), "exits", {
        input: { file, times: 1, how },
        streamMode: "values",
        durability: "sync",
      }),
    );
    expect(dataOf(frames, "metadata")).toMatchObject([
      { attempt: 1 },
      { attempt: 2 },
    ]);
    expect(dataOf(frames, "error")).toEqual([]);
    expect(frames.at(-1)).toMatchObject({ data: { status: "success" } });
    const [, first, second] = readNotes(file);
    expect(second?.pid).not.toBe(first?.pid);
    // It takes a while to fill a heap, and the system a while to write down a core.
    if (how === "exit") expect(second!.at - first!.at).toBeLessThan(1000);
  },
);

test("deaths are counted truthfully: those of the server are none of the run's", async () => {
  const server = await startServer({ config: CRASH_GRAPHS, workers: 1 });
  const { runs } = server.client;
  const thread_id = await onThread(server);
  const file = join(server.directory, "notes");
  const { run_id } = await runs.create(thread_id, "exits", {
    input: { file, times: 100, ms: 1500 },
    durability: "sync",
  });
  const falls = () => readNotes(file).filter(({ step }) => step === "fall");
  await waitFor("it is about to fall", () => falls().length === 1);
  await server.kill9();
  await server.start();
  expect(await server.client.runs.join(thread_id, run_id)).toMatchObject({
    __error__: {
      error: "MaxAttemptsError",
      message: expect.stringMatching(/died 3 times/),
    },
  });
  expect(falls()).toHaveLength(4); // one of them with the server
});

test("the deaths that others cause count against nobody else", async () => {
  const server = await startServer({ config: CRASH_GRAPHS, workers: 1 });
  const thread_id = await onThread(server);
  const file = join(server.directory, "neighbour");
  const run = await server.client.runs.create(thread_id, "counted", {
    input: { file, steps: 1000, ms: 200 },
    config: { recursion_limit: 2000 },
    durability: "sync",
  });
  await waitFor("it runs", () => readNotes(file).length > 0);
  for (const name of ["first", "second"])
    expect(await culprit(server, name)).toEqual({
      error: "MaxAttemptsError",
      message: expect.stringContaining("died 3 times"),
    });
  // Whatever the two have done, it has all of its own attempts.
  for (const _ of ["twice", "killed"]) {
    const { pid } = readNotes(file).at(-1)!;
    killIfAlive(pid);
    await waitFor(
      "it runs elsewhere",
      () => readNotes(file).at(-1)!.pid !== pid,
    );
  }
  const { status } = await server.client.runs.get(thread_id, run.run_id);
  expect(status).toBe("running");
  await server.client.runs.cancel(thread_id, run.run_id, true);
});

test("a project with no retries forgives who was only near a death", async () => {
  const server = await startServer({
    config: CRASH_GRAPHS,
    workers: 1,
    env: { BG_JOB_MAX_RETRIES: "0" },
  });
  const thread_id = await onThread(server);
  const file = join(server.directory, "neighbour");
  const run = await server.client.runs.create(thread_id, "counted", {
    input: { file, steps: 10, ms: 200 },
    durability: "sync",
  });
  await waitFor("it runs", () => readNotes(file).length > 0);
  // In company it could have been the other's doing; alone it was not.
  expect((await culprit(server, "culprit"))?.message).toContain("died 2 times");
  await server.client.runs.join(thread_id, run.run_id);
  const { status } = await server.client.runs.get(thread_id, run.run_id);
  expect(status).toBe("success");
});

test("while the only worker is blocked, states are read and updated", async () => {
  const server = await startServer({ config: CRASH_GRAPHS, workers: 1 });
  const { threads, runs } = server.client;
  const file = join(server.directory, "notes");
  const thread_id = await onThread(server);
  await runs.wait(thread_id, "counted", { input: { file, steps: 2, ms: 1 } });
  const blocking = await onThread(server);
  const { run_id } = await runs.create(blocking, "blocks", {
    input: { ms: 600_000 },
    durability: "sync",
  });
  await waitFor("it blocks", async () => {
    const { status } = await runs.get(blocking, run_id);
    return status === "running";
  });
  await waitFor(
    "its input is stored",
    async () => (await threads.getHistory(blocking)).length > 0,
  );
  const start = Date.now();
  const [state, history, own] = await Promise.all([
    threads.getState(thread_id),
    threads.getHistory(thread_id),
    threads.getState(blocking),
  ]);
  expect(state.values).toMatchObject({ done: [1, 2] });
  expect(history).toHaveLength(4);
  expect(own.next).toEqual(["spin"]);
  await threads.updateState(thread_id, { values: { done: [3] } });
  expect(await threads.getState(thread_id)).toMatchObject({
    values: { done: [1, 2, 3] },
  });
  expect(Date.now() - start).toBeLessThan(15_000);
  await runs.cancel(blocking, run_id, true);
});

test("runs go to the workers that are not blocked", async () => {
  const server = await startServer({ config: CRASH_GRAPHS, workers: 2 });
  const { runs } = server.client;
  const file = join(server.directory, "notes");
  const blocking = await onThread(server);
  const { run_id } = await runs.create(blocking, "blocks", {
    input: { ms: 600_000 },
  });
  await waitFor("the block is noticed", () =>
    server.output().includes("keeps the CPU"),
  );
  for (let run = 1; run <= 5; run += 1)
    expect(
      await runs.wait(await onThread(server), "counted", {
        input: { file: `${file}-${run}`, steps: 1, ms: 1 },
      }),
    ).toMatchObject({ done: [1] });
  await runs.cancel(blocking, run_id, true);
});
