import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { UNRESTRICTED } from "../../src/model/access.ts";
import { sql } from "../../src/storage/sql.ts";
import { getThread } from "../../src/storage/threads.ts";
import type { LaunchedWorker } from "../../src/workers/launch.ts";
import { openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { readNotes } from "../support/diary.ts";
import { launchInProcess, openEngine } from "../support/engine.ts";
import { temporaryProject } from "../support/temporary-project.ts";

let opened: TestDatabase;
let engine: Awaited<ReturnType<typeof openEngine>>;
let newest: LaunchedWorker;

beforeEach(async () => {
  opened = await openTestDatabase();
});

async function start(graph: string): Promise<void> {
  engine = await openEngine(opened, {
    graph,
    launch: () => (newest = launchInProcess()),
  });
  await engine.start();
}

afterEach(async () => {
  await engine.close();
  await opened.close();
});

async function run(thread_id: string, request: Record<string, unknown>) {
  const { run_id } = await engine.queue.enqueue(thread_id, request);
  await engine.until(run_id, "done");
  return { run_id, row: await engine.rowOf(run_id) };
}

const thread = (thread_id: string) =>
  getThread(opened.database, thread_id, UNRESTRICTED);

const questions = async (thread_id: string) =>
  Object.values((await thread(thread_id))!.interrupts)
    .flat()
    .map((interrupt) => (interrupt as { value: string }).value);

/** Ends the worker when the run has stored its next question, before its end is recorded. */
function killAtQuestion(thread_id: string): void {
  const unlisten = engine.events.subscribe(thread_id, ({ data }) => {
    if (!data.includes("second?")) return;
    unlisten();
    newest.kill();
  });
}

it("does not give an answer to the next question because the worker died when it was asked", async () => {
  await start("crash-graphs/two-questions.ts");
  const thread_id = await engine.queue.thread();
  await run(thread_id, { input: { ms: 0 } });
  expect(await questions(thread_id)).toEqual(["first?"]);

  killAtQuestion(thread_id);
  const resumed = await run(thread_id, {
    command: { resume: "one" },
    durability: "sync",
  });
  expect(resumed.row).toMatchObject({ status: "success", attempt: 2 });
  expect(await questions(thread_id)).toEqual(["second?"]);

  await run(thread_id, { command: { resume: "two" } });
  expect((await thread(thread_id))!.values).toMatchObject({
    answers: ["one", "two"],
  });
});

it("does not answer the next question when the graph is merely told to go on", async () => {
  await start("crash-graphs/two-questions.ts");
  const thread_id = await engine.queue.thread();
  await run(thread_id, { input: { ms: 0 } });
  await run(thread_id, { command: { resume: "one" } });
  expect(await questions(thread_id)).toEqual(["second?"]);
  await run(thread_id, { input: null });
  expect(await questions(thread_id)).toEqual(["second?"]);
});

/** Ends the worker once the thread has so many checkpoints; the answer to the last write never reaches it. */
function killAtCheckpoint(thread_id: string, count: number): void {
  const { database } = opened;
  const write = database.writeAtOnce.bind(database);
  database.writeAtOnce = async (parts) => {
    const result = await write(parts);
    const rows = await database.query(
      sql`select 1 as one from checkpoints where thread_id = ${thread_id}`,
    );
    if (rows.length < count) return result;
    database.writeAtOnce = write;
    newest.kill();
    return result;
  };
}

it.each([
  ["its input", 1, [1, 2]],
  ["a step", 3, [1, 2]],
  ["its last step", 4, [1, 2]],
])(
  "repeats no step when the worker dies as %s is stored",
  async (_, checkpoints, steps) => {
    await start("crash-graphs/counted.ts");
    const thread_id = await engine.queue.thread();
    using project = temporaryProject({});
    const file = join(project.root, "notes");
    killAtCheckpoint(thread_id, checkpoints);
    const { row } = await run(thread_id, {
      input: { file, steps: 2, ms: 1 },
      durability: "sync",
    });
    expect(row).toMatchObject({ status: "success", attempt: 2 });
    expect(readNotes(file).map(({ step }) => step)).toEqual(steps);
    expect((await thread(thread_id))!).toMatchObject({
      status: "idle",
      values: { done: steps },
    });
  },
);
