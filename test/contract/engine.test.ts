import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { sql } from "../../src/storage/sql.ts";
import {
  fillDisk,
  openTestDatabase,
  type TestDatabase,
} from "../support/databases.ts";
import { openEngine } from "../support/engine.ts";
import { waitFor } from "../support/wait.ts";
import { isOnPostgres } from "../support/postgres.ts";

let opened: TestDatabase;

beforeEach(async () => {
  opened = await openTestDatabase();
});

afterEach(() => opened.close());

type Engine = Awaited<ReturnType<typeof openEngine>>;

async function enqueue({ queue }: Engine, mode: string) {
  const thread_id = await queue.thread();
  const { run_id } = await queue.enqueue(thread_id, {
    input: { mode, log: [] },
  });
  return { thread_id, run_id };
}

describe("a stop", () => {
  it("hands back runs that were being claimed when it began", async () => {
    const engine = await openEngine(opened);
    await engine.start();
    const { run_id } = await enqueue(engine, "hang");
    // The run was announced: its claim is under way, and nothing is executed yet.
    await engine.close();
    expect(await engine.rowOf(run_id)).toMatchObject({ q: "ready" });
    expect(await opened.database.query(sql`select * from instances`)).toEqual(
      [],
    );
  });
});

// That of Postgres fills up in test/postgres.
describe.skipIf(isOnPostgres())("a disk that is full for a while", () => {
  it("costs no run its end, however few attempts it has", async () => {
    const engine = await openEngine(opened);
    engine.queue.deps.maxAttempts = 1;
    await engine.start();
    const grow: (() => void)[] = [];
    const thread_id = await engine.queue.thread();
    // Its first event comes when it is claimed, before its first checkpoint.
    engine.events.subscribe(thread_id, ({ attempt }) => {
      if (attempt === 1) grow.push(fillDisk(opened.database));
    });
    const { run_id } = await engine.queue.enqueue(thread_id, {
      input: { mode: "x".repeat(50_000), log: [] },
    });
    await waitFor("the run cannot be recorded", () =>
      engine.logged.some(
        (line) => line.includes(run_id) && line.includes("trying again"),
      ),
    );
    grow[0]!();
    await engine.until(run_id, "done");
    expect(await engine.rowOf(run_id)).toMatchObject({
      status: "success",
      attempt: 2,
    });
    await engine.close();
  });
});
