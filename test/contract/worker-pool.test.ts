import { pino } from "pino";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { LaunchedWorker } from "../../src/workers/launch.ts";
import { WorkerPool } from "../../src/workers/pool.ts";
import { checkpointRequests } from "../../src/workers/checkpoint-requests.ts";
import { storeRequests } from "../../src/workers/store-requests.ts";
import { openTestDatabase, type TestDatabase } from "../support/databases.ts";
import {
  graphSpecs,
  launchInProcess,
  launchSilent,
} from "../support/engine.ts";
import { waitFor } from "../support/wait.ts";

let opened: TestDatabase;
let pool: WorkerPool;
/** Workers that were launched and have not ended. */
let alive: Set<LaunchedWorker>;
let launch: () => LaunchedWorker;

beforeEach(async () => {
  opened = await openTestDatabase();
  alive = new Set();
  launch = launchInProcess;
  pool = new WorkerPool({
    size: 2,
    runsPerWorker: 1,
    project: {
      root: "/",
      graphs: graphSpecs({ steps: "worker-graphs/steps.ts" }),
    },
    launch: () => {
      const worker = launch();
      alive.add(worker);
      void worker.exited.then(() => alive.delete(worker));
      return worker;
    },
    requests: { ...checkpointRequests(opened), ...storeRequests(opened) },
    log: pino({ level: "silent" }),
    onEvents: () => null,
    onRoom: () => {},
  });
});

afterEach(async () => {
  await pool.close();
  await opened.close();
});

const settled = (size: number) =>
  waitFor(`${size} workers are ready`, () => pool.room === size);

it("gives up a reload that never ends to load when the next one is asked for", async () => {
  await pool.start();
  launch = launchSilent;
  const stuck = pool.reload();
  launch = launchInProcess;
  expect(await pool.reload()).toBe("replaced");
  expect(await stuck).toBe("superseded");
  await settled(2);
  await waitFor("the others are gone", () => alive.size === 2);
});

it("answers the newest of many reloads at once", async () => {
  await pool.start();
  const outcomes = await Promise.all([
    pool.reload(),
    pool.reload(),
    pool.reload(),
    pool.reload(),
  ]);
  expect(outcomes.at(-1)).toBe("replaced");
  await settled(2);
  await waitFor("the others are gone", () => alive.size === 2);
});

it("has as many workers as before when one dies during a reload", async () => {
  await pool.start();
  await settled(2);
  const [first] = alive;
  const reload = pool.reload();
  first!.kill();
  expect(await reload).toBe("replaced");
  await settled(2);
  await waitFor("the others are gone", () => alive.size === 2);
  // Whoever is to take the place of the dead one would be there by now.
  await pool.ask("project.load", {
    root: "/",
    graphs: graphSpecs({ steps: "worker-graphs/steps.ts" }),
  });
  expect(alive.size).toBe(2);
});

it("leaves no worker behind when it is closed during a reload", async () => {
  await pool.start();
  const reload = pool.reload();
  await pool.close();
  expect(await reload).toBe("kept");
  await waitFor("all are gone", () => alive.size === 0);
  expect(await pool.reload()).toBe("kept");
  expect(alive.size).toBe(0);
});
