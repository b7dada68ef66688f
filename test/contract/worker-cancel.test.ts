import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { WorkerBench } from "../support/worker-bench.ts";
import { endRun } from "../support/worker-pipe.ts";

let bench: WorkerBench;

beforeAll(async () => {
  bench = await WorkerBench.inProcess();
  await bench.load({ steps: "steps.ts:graph" });
});

afterAll(() => bench[Symbol.asyncDispose]());

const hanging = () =>
  bench.claimed("steps", { input: { mode: "hang", log: [] } });

it("a cancelled run ends as interrupted with the steps it has done", async () => {
  const run = await hanging();
  const outcome = bench.execute(run);
  await vi.waitUntil(() => bench.events(run).length > 0);
  await bench.cancel(run);
  expect(await outcome).toMatchObject({
    status: "interrupted",
    snapshot: { values: { mode: "hang", log: [] }, next: ["a"] },
  });
});

it("a cancel for another attempt is not for this one", async () => {
  const run = await hanging();
  const outcome = bench.execute(run);
  await vi.waitUntil(() => bench.events(run).length > 0);
  await bench.cancel({ ...run, attempt: 2 });
  const first = await Promise.race([
    outcome.then(() => "ended"),
    new Promise((resolve) => setTimeout(resolve, 50, "still running")),
  ]);
  expect(first).toBe("still running");
  await bench.cancel(run);
  await outcome;
});

it("an attempt whose lease is lost stops and says so", async () => {
  const run = await bench.claimed("steps", { input: { mode: "", log: [] } });
  await bench.database.transaction((tx) => endRun(tx, run.run_id));
  expect(await bench.execute(run)).toEqual({ status: "lost" });
});
