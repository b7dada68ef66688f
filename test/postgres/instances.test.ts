import { expect, test } from "vitest";
import {
  sharedDatabase,
  startApi,
  startInstance,
} from "../support/instances.ts";
import { collect } from "../support/sdk.ts";
import type { TestServer } from "../support/server.ts";
import { waitFor } from "../support/wait.ts";

const until = (server: TestServer, threadId: string, runId: string) => ({
  is: (status: string) =>
    waitFor(`the run is ${status}`, async () => {
      const run = await server.client.runs.get(threadId, runId);
      return run.status === status;
    }),
});

test("any instance answers for any thread: accepted here, executed there, streamed and cancelled at a third", async () => {
  const database = await sharedDatabase();
  const api = await startApi(database);
  const executor = await startInstance(database, {
    flags: ["--no-http"],
    listens: false,
  });
  const other = await startApi(database);
  const { thread_id } = await api.client.threads.create();

  const live = await collect(
    api.client.runs.stream(thread_id, "slow", {
      input: { steps: 5, seconds: 0.05 },
      streamMode: ["values", "updates"],
      streamResumable: true,
    }),
  );
  expect(live.at(-1)).toMatchObject({ event: "end" });
  const [run] = await other.client.runs.list(thread_id);
  const replayed = await collect(
    other.client.runs.joinStream(thread_id, run!.run_id, { lastEventId: "-1" }),
  );
  expect(replayed).toEqual(live);

  const slow = await other.client.runs.create(thread_id, "slow", {
    input: { steps: 500, seconds: 0.05 },
  });
  await until(api, thread_id, slow.run_id).is("running");
  const joined = collect(api.client.runs.joinStream(thread_id, slow.run_id));
  const waiting = other.client.runs.join(thread_id, slow.run_id);
  await api.client.runs.cancel(thread_id, slow.run_id, true);
  expect((await joined).at(-1)).toMatchObject({
    event: "end",
    data: { status: "interrupted" },
  });
  await waiting;
  await until(other, thread_id, slow.run_id).is("interrupted");
  expect(executor.output()).toContain("executes runs");
});

test("the events of a run that another instance executes come as they are made, not with its end", async () => {
  const database = await sharedDatabase();
  const api = await startApi(database);
  await startInstance(database);
  const { thread_id } = await api.client.threads.create();
  const arrivals: number[] = [];
  const stream = api.client.runs.stream(thread_id, "slow", {
    input: { steps: 10, seconds: 0.2 },
    streamMode: "updates",
  });
  for await (const { event } of stream)
    if (event === "updates") arrivals.push(performance.now());
  expect(arrivals.length).toBeGreaterThanOrEqual(10);
  const longest = Math.max(
    ...arrivals.slice(1).map((at, index) => at - (arrivals[index] ?? at)),
  );
  // In one go at the end, or by the poll alone, there would be a gap of seconds.
  expect(longest).toBeLessThan(1500);
});

test("the runs of an instance that is killed go on at another, from their last checkpoints", async () => {
  const database = await sharedDatabase();
  const api = await startApi(database);
  const doomed = await startInstance(database);
  const { thread_id } = await api.client.threads.create();
  const { run_id } = await api.client.runs.create(thread_id, "slow", {
    input: { steps: 20, seconds: 0.1 },
  });
  await waitFor("some steps are done", async () => {
    const { values } = await api.client.threads.getState<{ done?: number[] }>(
      thread_id,
    );
    return (values.done?.length ?? 0) >= 3;
  });
  await startInstance(database);
  await doomed.kill9();
  const killed = performance.now();
  await waitFor(
    "another attempt",
    async () => {
      const { values } = await api.client.threads.getState<{
        done?: number[];
      }>(thread_id);
      return (values.done?.length ?? 0) >= 10;
    },
    { timeoutMs: 20_000 },
  );
  expect(performance.now() - killed).toBeLessThan(15_000);
  await api.client.runs.join(thread_id, run_id);
  const { values } = await api.client.threads.getState<{ done: number[] }>(
    thread_id,
  );
  expect(values.done).toEqual(Array.from({ length: 20 }, (_, n) => n + 1));
});

test("a server that was killed and comes back goes on at once, without waiting for its lease", async () => {
  const database = await sharedDatabase();
  const api = await startApi(database);
  const server = await startInstance(database);
  const { thread_id } = await api.client.threads.create();
  const { run_id } = await api.client.runs.create(thread_id, "slow", {
    input: { steps: 30, seconds: 0.1 },
  });
  await until(api, thread_id, run_id).is("running");
  await server.kill9();
  await server.start(); // answers only when a worker has loaded
  await until(api, thread_id, run_id).is("running");
  const lease = await api.client.runs.get(thread_id, run_id);
  expect(lease.status).toBe("running");
  await api.client.runs.join(thread_id, run_id);
  expect(server.output()).toContain("resume from their last checkpoints");
});
