/** A cancel ends whatever the graph does: first by the abort signal, then with its process. */
import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { readNotes, repeatedAfterStored } from "../support/diary.ts";
import { isAlive } from "../support/processes.ts";
import { collect, dataOf } from "../support/sdk.ts";
import {
  CRASH_GRAPHS,
  startServer,
  type TestServer,
} from "../support/server.ts";
import { waitFor } from "../support/wait.ts";

// Killed workers load the project again, which takes its time on a loaded machine.
vi.setConfig({ testTimeout: 90_000 });

const start = (env: Record<string, string> = {}) =>
  startServer({ config: CRASH_GRAPHS, workers: 1, env });

/** A run that will not end by itself, in the middle of its node. */
async function stubborn(server: TestServer, thread_id: string, name: string) {
  const file = join(server.directory, name);
  const { run_id } = await server.client.runs.create(thread_id, "stubborn", {
    input: { file, ms: 600_000 },
  });
  await waitFor("its node works", () => readNotes(file).length === 1);
  return { run_id, file };
}

/** Accepts requests, and answers none until it is told to. */
async function silentServer() {
  const asked: (() => void)[] = [];
  const silent = createServer((_request, response) => {
    asked.push(() => response.end("late"));
  }).listen(0, "127.0.0.1");
  onTestFinished(() => {
    silent.closeAllConnections();
    silent.close();
  });
  await once(silent, "listening");
  const { port } = silent.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/`, asked };
}

test("a node that waits for an answer from elsewhere is ended with its worker, and its finished steps stay", async () => {
  const server = await start({ BG_JOB_CANCEL_GRACE_PERIOD_SECS: "1" });
  const { threads, runs } = server.client;
  const { url, asked } = await silentServer();
  const { thread_id } = await threads.create();
  const { run_id } = await runs.create(thread_id, "fetches", {
    input: { url },
  });
  await waitFor("the node has asked", () => asked.length === 1);
  const [worker] = server.workerPids();
  await runs.cancel(thread_id, run_id, true);
  expect((await runs.get(thread_id, run_id)).status).toBe("interrupted");
  expect(isAlive(worker!)).toBe(false);
  expect(await threads.get(thread_id)).toMatchObject({
    status: "interrupted",
    values: { url, begun: true },
  });
  expect((await threads.getState(thread_id)).next).toEqual(["ask"]);
});

test("a node that ends within the grace period costs no worker", async () => {
  const server = await start();
  const { threads, runs } = server.client;
  const { url, asked } = await silentServer();
  const { thread_id } = await threads.create();
  const { run_id } = await runs.create(thread_id, "fetches", {
    input: { url },
  });
  await waitFor("the node has asked", () => asked.length === 1);
  const workers = server.workerPids();
  await runs.cancel(thread_id, run_id);
  await waitFor("the node has been told", () => asked.length === 2);
  asked[0]!();
  await runs.join(thread_id, run_id);
  expect((await runs.get(thread_id, run_id)).status).toBe("interrupted");
  expect(server.workerPids()).toEqual(workers);
});

test("the next run of the thread begins when the node of the cancelled one works no more", async () => {
  const server = await start({ BG_JOB_CANCEL_GRACE_PERIOD_SECS: "1" });
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  const { file } = await stubborn(server, thread_id, "notes");
  const [worker] = server.workerPids();
  const next = join(server.directory, "next");
  const values = await runs.wait(thread_id, "turns", {
    input: { file: next, run: "next", steps: 1, ms: 0 },
    multitaskStrategy: "interrupt",
  });
  expect(values).toMatchObject({ log: ["next/1"] });
  expect(readNotes(file).map(({ step }) => step)).toEqual(["started"]);
  expect(isAlive(worker!)).toBe(false);
  expect(readNotes(next)[0]?.pid).not.toBe(worker);
});

test("the other runs of a worker that is ended go on from their checkpoints, and it costs them no attempt", async () => {
  const server = await start({
    BG_JOB_CANCEL_GRACE_PERIOD_SECS: "1",
    BG_JOB_MAX_RETRIES: "0",
  });
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  const { run_id } = await stubborn(server, thread_id, "notes");
  const file = join(server.directory, "neighbour");
  const neighbour = collect(
    runs.stream(null, "counted", {
      input: { file, steps: 8, ms: 400 },
      streamMode: ["values"],
      durability: "sync",
    }),
  );
  await waitFor("a step is stored", () => readNotes(file).length > 1);
  await runs.cancel(thread_id, run_id, true);
  const frames = await neighbour;
  expect(frames.at(-1)).toMatchObject({ data: { status: "success" } });
  expect(dataOf(frames, "metadata")).toMatchObject([
    { attempt: 1 },
    { attempt: 2 },
  ]);
  expect(dataOf(frames, "values").at(-1)).toMatchObject({
    done: [1, 2, 3, 4, 5, 6, 7, 8],
  });
  expect(new Set(readNotes(file).map(({ pid }) => pid)).size).toBe(2);
  expect(repeatedAfterStored(readNotes(file))).toEqual([]);
});

test("a run that takes too long is ended, whatever it does", async () => {
  const server = await start({
    BG_JOB_TIMEOUT_SECS: "1",
    BG_JOB_CANCEL_GRACE_PERIOD_SECS: "1",
  });
  const { threads, runs } = server.client;
  const file = join(server.directory, "notes");
  const inputs = {
    blocks: { ms: 600_000 },
    stubborn: { file, ms: 600_000 },
    turns: { file: join(server.directory, "turns"), run: "a", steps: 1, ms: 600_000, heeds: true }, // prettier-ignore
  };
  for (const [graph, input] of Object.entries(inputs)) {
    const { thread_id } = await threads.create();
    const { run_id } = await runs.create(thread_id, graph, { input });
    expect(await runs.join(thread_id, run_id)).toEqual({
      __error__: {
        error: "TimeoutError",
        message: "the run exceeded its limit of 1 s (BG_JOB_TIMEOUT_SECS)",
      },
    });
    expect((await runs.get(thread_id, run_id)).status).toBe("timeout");
  }
});

test("a rollback that was acknowledged is carried out by the next start of a server that was killed before it came to it", async () => {
  const server = await start({ BG_JOB_CANCEL_GRACE_PERIOD_SECS: "60" });
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  const file = join(server.directory, "before");
  await runs.wait(thread_id, "turns", {
    input: { file, run: "before", steps: 1, ms: 0 },
  });
  const before = await threads.get(thread_id);
  const history = await threads.getHistory(thread_id);
  const { run_id } = await stubborn(server, thread_id, "notes");
  const path = `/threads/${thread_id}/runs/${run_id}/cancel?action=rollback`;
  expect((await server.send("POST", path)).status).toBe(202);
  expect((await runs.get(thread_id, run_id)).status).toBe("running");
  await server.kill9();
  await server.start();
  await waitFor("the run is gone", async () => {
    const rows = await runs.list(thread_id);
    return rows.length === 1;
  });
  const { status, values, metadata } = await threads.get(thread_id);
  expect({ status, values, metadata }).toEqual({
    status: "idle",
    values: before.values,
    metadata: before.metadata,
  });
  expect(await threads.getHistory(thread_id)).toEqual(history);
  expect(readNotes(join(server.directory, "notes"))).toHaveLength(1);
  const values2 = await runs.wait(thread_id, "turns", {
    input: { file, run: "after", steps: 1, ms: 0 },
  });
  expect(values2).toMatchObject({ log: ["before/1", "after/1"] });
});

test("a server that is stopped waits for no node that does not heed its signal", async () => {
  const server = await start({ BG_JOB_SHUTDOWN_GRACE_PERIOD_SECS: "0" });
  const { thread_id } = await server.client.threads.create();
  const { run_id } = await stubborn(server, thread_id, "notes");
  const begin = Date.now();
  await server.stop();
  expect(Date.now() - begin).toBeLessThan(4500);
  await server.start();
  const file = join(server.directory, "notes");
  await waitFor("it works again", () => readNotes(file).length === 2);
  await server.client.runs.cancel(thread_id, run_id, false, "rollback");
});
