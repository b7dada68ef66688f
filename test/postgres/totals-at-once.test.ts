import { expect, test } from "vitest";
import { uuid7 } from "../../src/lib/uuid.ts";
import { insertThread, setThreadSnapshot } from "../../src/storage/threads.ts";
import { openTestDatabase } from "../support/databases.ts";

test("threads that come and go from one status to another do not wait for each other in a circle, whoever counts in the same shard", async () => {
  await using opened = await openTestDatabase();
  const { database } = opened;
  await database.script(
    "create or replace function own_shard() returns integer language sql stable as 'select 0'",
  );
  let asked = 0;
  let attempts = 0;
  const write: typeof database.transaction = (fn) => {
    asked += 1;
    return database.transaction((tx) => {
      attempts += 1; // again after a deadlock
      return fn(tx);
    });
  };
  const metadata = { team: "a", user: "b" };
  await Promise.all(
    Array.from({ length: 20 }, async () => {
      const thread_id = uuid7();
      await write((tx) => insertThread(tx, { thread_id, metadata, ttl: null }));
      for (const rest of ["idle", "interrupted", "error", "idle"] as const)
        for (const status of ["busy", rest] as const)
          await write((tx) =>
            setThreadSnapshot(tx, thread_id, {
              ...{ status, snapshot: null, error: null },
            }),
          );
    }),
  );
  expect(attempts).toBe(asked);
});
