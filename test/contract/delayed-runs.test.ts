import { afterEach, beforeEach, expect, it } from "vitest";
import { openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { openEngine } from "../support/engine.ts";

let opened: TestDatabase;
let engine: Awaited<ReturnType<typeof openEngine>>;

beforeEach(async () => {
  opened = await openTestDatabase();
  // Only the timer can start a run: the poll comes too late for every test.
  engine = await openEngine(opened, { settings: { pollMs: 600_000 } });
});

afterEach(async () => {
  await engine.close();
  await opened.close();
});

const input = { mode: "", log: [] };

async function later(seconds: number) {
  const thread_id = await engine.queue.thread();
  const request = { input, after_seconds: seconds };
  const { run_id } = await engine.queue.enqueue(thread_id, request);
  return run_id;
}

// A loaded machine may be slower once.
it(
  "starts a delayed run when it is due, and not before",
  { retry: 2 },
  async () => {
    await engine.start();
    const accepted = Date.now();
    const run_id = await later(0.3);
    expect(await engine.rowOf(run_id)).toMatchObject({ status: "pending" });
    await engine.until(run_id, "done");
    const took = Date.now() - accepted;
    expect(took).toBeGreaterThanOrEqual(300);
    expect(took).toBeLessThan(1000);
  },
);

it("starts the one that is due first, whichever was accepted first", async () => {
  await engine.start();
  const late = await later(600);
  const soon = await later(0.2);
  await engine.until(soon, "done");
  expect(await engine.rowOf(late)).toMatchObject({ q: "delayed" });
});

it("starts a run that became due while no server was there", async () => {
  const run_id = await later(0.01);
  await engine.start();
  await engine.until(run_id, "done");
});
