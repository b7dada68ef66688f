/** How soon a run goes on after its instance, or its database, went down. */
import { setTimeout as delay } from "node:timers/promises";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { readNotes, repeatedAfterStored } from "../../support/diary.ts";
import { Fleet } from "../../support/fleet.ts";
import { Random } from "../../support/random.ts";
import type { TestServer } from "../../support/server.ts";
import { waitFor } from "../../support/wait.ts";

vi.setConfig({ testTimeout: 120_000 });

// A loaded machine may be slower once.
const RETRIED = { retry: 2 };

const STEP_MS = 50;

interface Running {
  fleet: Fleet;
  /** Executes the run. */
  server: TestServer;
  file: string;
  /** Resolves when it has ended; no step may have been repeated that was stored. */
  end: () => Promise<void>;
}

async function running(instances: number): Promise<Running> {
  const fleet = await Fleet.start({ random: new Random(1), instances });
  const file = join(fleet.directory, "notes");
  const { thread_id } = await fleet.client.threads.create();
  const { run_id } = await fleet.client.runs.create(thread_id, "counted", {
    input: { file, steps: 60, ms: STEP_MS },
    config: { recursion_limit: 1000 },
    durability: "sync",
  });
  await waitFor("it runs", () => readNotes(file).length > 3);
  const { pid } = readNotes(file).at(-1)!;
  const server = fleet.servers.find((one) => one.workerPids().includes(pid))!;
  const end = async () => {
    await fleet.client.runs.join(thread_id, run_id);
    const { status } = await fleet.client.runs.get(thread_id, run_id);
    expect(status).toBe("success");
    expect(repeatedAfterStored(readNotes(file))).toEqual([]);
  };
  return { fleet, server, file, end };
}

const say = (what: string, milliseconds: number): void => {
  process.stderr.write(`${what}: ${Math.round(milliseconds)} ms\n`);
};

test(
  "another instance takes over within 10 s of a kill -9",
  RETRIED,
  async () => {
    const { fleet, server, file, end } = await running(2);
    const before = readNotes(file).at(-1)!.pid;
    fleet.rest(server);
    const killed = Date.now();
    await server.kill9();
    await waitFor(
      "another goes on",
      () => readNotes(file).at(-1)!.pid !== before,
      { timeoutMs: 30_000 },
    );
    const { at } = readNotes(file).find(({ pid }) => pid !== before)!;
    say("takeover after kill -9", at - killed);
    expect(at - killed).toBeLessThan(10_000);
    await end();
  },
);

test(
  "an instance that was killed and comes back goes on within a second of being ready",
  RETRIED,
  async () => {
    const { server, file, end } = await running(1);
    const before = readNotes(file).at(-1)!.pid;
    await server.kill9();
    await server.start();
    const ready = Date.now();
    await waitFor("it goes on", () => readNotes(file).at(-1)!.pid !== before);
    const { at } = readNotes(file).find(({ pid }) => pid !== before)!;
    say("going on after its own restart", at - ready);
    expect(at - ready).toBeLessThan(1000);
    await end();
  },
);

test(
  "two seconds after a database that was away for five all is as before, and nobody was refused",
  RETRIED,
  async () => {
    const { fleet, file, end } = await running(2);
    await fleet.cluster.stop("immediate");
    const asked = fleet.client.threads.create();
    await delay(5000);
    await fleet.cluster.start();
    const back = Date.now();
    const notes = readNotes(file).length;
    await Promise.all([
      asked,
      waitFor("the run goes on", () => readNotes(file).length > notes),
      fleet.client.runs.wait(null, "counted", {
        input: { file: `${file}-other`, steps: 1, ms: 1 },
      }),
    ]);
    say("all as before after the database was back", Date.now() - back);
    expect(Date.now() - back).toBeLessThan(2000);
    await end();
  },
);
