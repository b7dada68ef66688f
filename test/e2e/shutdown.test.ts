import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { CRASH_GRAPHS, startServer } from "../support/server.ts";
import { isAlive } from "../support/processes.ts";
import { waitFor } from "../support/wait.ts";
import { isOnPostgres } from "../support/postgres.ts";

const PROGRAM = fileURLToPath(
  new URL("../../dist/cli/index.js", import.meta.url),
);

test("a stopped server hands its runs to the next start, with no attempt lost", async () => {
  const server = await startServer({
    env: { BG_JOB_SHUTDOWN_GRACE_PERIOD_SECS: "0" },
  });
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  const { run_id } = await runs.create(thread_id, "slow", {
    input: { steps: 6, seconds: 0.5 },
  });
  await waitFor("a step is done", async () => {
    const { values } = await threads.getState<{ done?: number[] }>(thread_id);
    return values.done?.length;
  });
  const workers = server.workerPids();
  await server.restart();
  expect(workers.filter(isAlive)).toEqual([]);
  expect(await runs.join(thread_id, run_id)).toMatchObject({
    done: [1, 2, 3, 4, 5, 6],
  });
  expect((await runs.get(thread_id, run_id)).status).toBe("success");
});

test.skipIf(isOnPostgres())(
  "a second server on the same data directory refuses to start and names who holds it",
  async () => {
    const server = await startServer({ workers: 1 });
    const second = promisify(execFile)(process.execPath, [
      PROGRAM,
      ...[
        "start",
        "--port",
        "0",
        "--data-dir",
        server.dataDir,
        "--config",
        CRASH_GRAPHS,
      ],
    ]);
    await expect(second).rejects.toMatchObject({
      code: expect.any(Number),
      stderr: expect.stringContaining(`pid ${server.pid}`),
    });
    expect((await server.fetch("/ok")).status).toBe(200);
  },
);

test("a graph that heeds no abort signal is ended after the grace period, and nothing else is", async () => {
  const server = await startServer({ config: CRASH_GRAPHS, workers: 1 });
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  const { run_id } = await runs.create(thread_id, "blocks", {
    input: { ms: 120_000 },
  });
  await waitFor(
    "the run runs",
    async () => (await runs.get(thread_id, run_id)).status === "running",
  );
  const [worker] = server.workerPids();
  await runs.cancel(thread_id, run_id, true);
  expect((await runs.get(thread_id, run_id)).status).toBe("interrupted");
  expect(isAlive(worker!)).toBe(false);
  // The worker's successor serves.
  const values = await runs.wait(null, "blocks", { input: { ms: 1 } });
  expect(values).toMatchObject({ ms: 1 });
});
