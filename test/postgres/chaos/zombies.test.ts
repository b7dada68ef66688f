/** Instances that believe they are alive after others have declared them dead. */
import { setTimeout as delay } from "node:timers/promises";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { checkTurns } from "../../chaos/check-turns.ts";
import { logIn } from "../../chaos/load-client.ts";
import { readNotes } from "../../support/diary.ts";
import { Fleet } from "../../support/fleet.ts";
import { Random } from "../../support/random.ts";
import type { TestServer } from "../../support/server.ts";
import { waitFor } from "../../support/wait.ts";
import { requireWhole } from "./data-of-fleet.ts";

vi.setConfig({ testTimeout: 120_000 });

/** What happens to an instance, and how it ends. */
const STANDSTILLS = {
  "does not hear from the database for longer than its lease": {
    begin: (fleet: Fleet, server: TestServer) => fleet.lineOf(server).silence(),
    end: (fleet: Fleet, server: TestServer) => fleet.lineOf(server).speak(),
  },
  "stands still for longer than its lease": {
    begin: (_: Fleet, server: TestServer) =>
      process.kill(server.pid, "SIGSTOP"),
    end: (_: Fleet, server: TestServer) => process.kill(server.pid, "SIGCONT"),
  },
};

test.each(Object.entries(STANDSTILLS))(
  "of an instance that %s no step goes on once another has taken over",
  async (_, { begin, end }) => {
    const fleet = await Fleet.start({ random: new Random(1), instances: 2 });
    const { client } = fleet;
    const { thread_id } = await client.threads.create();
    const file = join(fleet.directory, "notes");
    const steps = 20;
    const entries = Array.from({ length: steps + 1 }, (__, n) => `run/${n}`);
    const { run_id } = await client.runs.create(thread_id, "journal", {
      input: {
        ...{ run: "run", steps, ms: 300, file },
        log: entries.slice(0, 1),
      },
    });
    await waitFor("it runs", () => readNotes(file).length > 2);
    const worker = readNotes(file).at(-1)!.pid;
    const [zombie, other] = fleet.servers.toSorted((one) =>
      one.workerPids().includes(worker) ? -1 : 1,
    ) as [TestServer, TestServer];
    begin(fleet, zombie);
    await waitFor(
      "another takes over",
      () => readNotes(file).at(-1)!.pid !== worker,
      { timeoutMs: 30_000 },
    );
    end(fleet, zombie);
    await waitFor("the zombie is back", async () => {
      const { status } = await zombie.client.runs.get(thread_id, run_id);
      return status === "running";
    });
    await delay(1000); // what it has held back comes now
    const values = await other.client.runs.join(thread_id, run_id);
    expect(logIn(values)).toEqual(entries);
    checkTurns(thread_id, file);
    await requireWhole(fleet);
  },
);
