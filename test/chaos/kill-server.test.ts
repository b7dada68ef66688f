/** What a client sees of a server that is killed with kill -9 at a moment that matters. Any moment: kill-server-rounds.test.ts. */
import { join } from "node:path";
import { Client } from "@langchain/langgraph-sdk";
import { expect, test, vi } from "vitest";
import { readNotes, repeatedAfterStored } from "../support/diary.ts";
import { isAlive } from "../support/processes.ts";
import { collect, type Frame } from "../support/sdk.ts";
import { CRASH_GRAPHS, startServer } from "../support/server.ts";
import { waitFor } from "../support/wait.ts";

// A server starts several times in each of these.
vi.setConfig({ testTimeout: 90_000 });

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
