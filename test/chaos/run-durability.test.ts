/** What `durability` of a run promises, as LangGraph defines it, with the worker dying in between. */
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { readNotes } from "../support/diary.ts";
import { CRASH_GRAPHS, useServer } from "../support/server.ts";
import { waitFor } from "../support/wait.ts";

vi.setConfig({ testTimeout: 60_000 });

const server = useServer({ config: CRASH_GRAPHS, workers: 1 });

type Durability = "sync" | "async" | "exit";

const inFile = (name: string) => join(server.directory, name);

test.each<[Durability, string[]]>([
  ["sync", ["before", "fall", "fall"]],
  ["exit", ["before", "fall", "before", "fall"]],
])(
  "%s: a run whose worker has died goes on from what was kept",
  async (durability, steps) => {
    const { threads, runs } = server.client;
    const { thread_id } = await threads.create();
    const file = inFile(`died-${durability}`);
    const values = await runs.wait(thread_id, "exits", {
      input: { file, times: 1 },
      durability,
    });
    expect(values).toMatchObject({ log: ["before", "survived"] });
    expect(readNotes(file).map(({ step }) => step)).toEqual(steps);
  },
);

test.each<[Durability, number]>([
  ["sync", 2],
  ["async", 2],
  ["exit", 0],
])("%s: what is kept while the run goes on", async (durability, atLeast) => {
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  const file = inFile(`kept-${durability}`);
  const { run_id } = await runs.create(thread_id, "counted", {
    input: { file, steps: 3, ms: 700 },
    durability,
  });
  await waitFor("the second step runs", () => readNotes(file).length === 2);
  const kept = async () => (await threads.getHistory(thread_id)).length;
  if (atLeast === 0) expect(await kept()).toBe(0);
  else await waitFor("it is kept", async () => (await kept()) >= atLeast);
  expect(readNotes(file)).toHaveLength(2);
  await runs.join(thread_id, run_id);
  expect(await threads.getState(thread_id)).toMatchObject({
    values: { done: [1, 2, 3] },
    next: [],
  });
  expect(await kept()).toBe(durability === "exit" ? 1 : 5);
});

test("exit: a question is kept with the state that it was asked in", async () => {
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  const file = inFile("asked");
  const durability = "exit" as const;
  await runs.wait(thread_id, "payments", {
    input: { file, amounts: [10], ms: 1 },
    durability,
  });
  expect(await threads.get(thread_id)).toMatchObject({ status: "interrupted" });
  const values = await runs.wait(thread_id, "payments", {
    command: { resume: "yes" },
    durability,
  });
  expect(values).toMatchObject({ paid: [10] });
  expect(readNotes(file)).toHaveLength(1);
});
