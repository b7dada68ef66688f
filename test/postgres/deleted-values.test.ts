import { afterAll, beforeAll, expect, test } from "vitest";
import {
  deleteUnusedValues,
  insertValues,
} from "../../src/storage/checkpoint-values.ts";
import { sql } from "../../src/storage/sql.ts";
import { checkpointRequests } from "../../src/workers/checkpoint-requests.ts";
import { openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { checkpoint } from "../support/races/worlds.ts";
import { openRunQueue } from "../support/run-queue.ts";
import { waitFor } from "../support/wait.ts";

let opened: TestDatabase;

beforeAll(async () => {
  opened = await openTestDatabase();
});

afterAll(() => opened.close());

test("a checkpoint that refers to a value which is just being deleted is refused, whenever it comes", async () => {
  const { database } = opened;
  const queue = await openRunQueue(database);
  const thread_id = await queue.thread();
  await queue.enqueue(thread_id);
  const [run] = await queue.claim(await queue.instance());
  const put = checkpoint(thread_id, "1");
  await database.transaction((tx) => insertValues(tx, thread_id, put.values));
  const { "checkpoint.write": write } = checkpointRequests({ database });
  const { writing } = await database.transaction(async (tx) => {
    await deleteUnusedValues(tx, thread_id);
    // It sees the database as it is now, with the value.
    const answer = write({
      fence: run!,
      writes: [{ ...put, values: [] }],
      durable: false,
    });
    await waitFor("it waits", async () => {
      const waiting = await database.query(
        sql`select 1 as found from pg_locks where not granted`,
      );
      return waiting.length > 0;
    });
    return { writing: answer };
  });
  expect(await writing).toBe("incomplete");
  const stored = await database.query(
    sql`select checkpoint_id from checkpoints where thread_id = ${thread_id}`,
  );
  expect(stored).toEqual([]);
});
