import {
  deltaChannelHistoryTests,
  specTest,
  type CheckpointSaverTestInitializer,
} from "@langchain/langgraph-checkpoint-validation";
import * as vitest from "vitest";
import {
  SpoolCheckpointer,
  type CheckpointPort,
} from "../../src/worker/checkpointer.ts";
import { drivers, openTestDatabase } from "../support/databases.ts";
import {
  connectWorker,
  insertRunningRun,
  insertThread,
  portOf,
} from "../support/worker-pipe.ts";

// The suite is written for a runner that has these in scope.
const { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } =
  vitest;
Object.assign(globalThis, {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  it,
});

for (const driver of drivers()) {
  const closers = new Map<SpoolCheckpointer, () => Promise<void>>();
  const initializer: CheckpointSaverTestInitializer<SpoolCheckpointer> = {
    checkpointerName: `SpoolCheckpointer on ${driver.name}`,
    async createCheckpointer() {
      const { database, close } = await openTestDatabase(driver);
      const worker = connectWorker(database);
      const run = await database.transaction((tx) => insertRunningRun(tx));
      const port = portOf(worker.peer, run);
      // The suite makes up its thread ids; in a server the thread is there before its run.
      const withThreads: CheckpointPort = {
        ...port,
        write: async (write) => {
          const { thread_id } = write.kind === "put" ? write.record : write;
          await database.transaction((tx) => insertThread(tx, thread_id));
          await port.write(write);
        },
      };
      const saver = new SpoolCheckpointer(withThreads);
      closers.set(saver, async () => {
        worker.close();
        await close();
      });
      return saver;
    },
    async destroyCheckpointer(saver) {
      await closers.get(saver)?.();
      closers.delete(saver);
    },
  };
  specTest(initializer);
  deltaChannelHistoryTests(initializer);
}
