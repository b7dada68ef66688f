/**
 * Workers are killed with kill -9, one or all of them, under a load of
 * everything that the server can be asked to do. Its clients must not notice:
 * no request fails, every run that was accepted ends as it would have, and no
 * step that was stored runs again.
 *
 * `CHAOS_ROUNDS`, `CHAOS_CLIENTS` and `CHAOS_SEED` as for the server.
 */
import { expect, test } from "vitest";
import { killIfAlive } from "../support/processes.ts";
import { CRASH_GRAPHS, startServer } from "../support/server.ts";
import { checkLedger } from "./check-ledger.ts";
import { requireWhole } from "./data-folder.ts";
import { Load, untilIdle } from "./load.ts";
import { inRound } from "./seed.ts";
import { WhatIsThere } from "./what-is-there.ts";

const ROUNDS = Number(process.env["CHAOS_ROUNDS"] ?? 12);

/** Rounds between two looks at all that is there. */
const CHECK_EVERY = 5;

test(
  "clients do not notice that workers are killed with kill -9, again and again",
  { timeout: 60_000 + ROUNDS * 20_000 },
  async () => {
    const server = await startServer({
      config: CRASH_GRAPHS,
      workers: 2,
      // What is lost is the question here, not when to give up.
      env: { BG_JOB_MAX_RETRIES: "1000" },
    });
    using load = new Load(server);
    const { chronicle, random } = load;
    const there = new WhatIsThere(server);
    const kill = async () => {
      await load.someMore(10, 60);
      const workers = server.workerPids();
      const one = random.between(0, workers.length);
      const isAll = random.next() < 0.3;
      for (const [index, pid] of workers.entries())
        if (isAll || index === one) killIfAlive(pid);
    };
    for (let round = 1; round <= ROUNDS; round += CHECK_EVERY)
      await inRound(round, async () => {
        await load.during(async () => {
          for (let kills = 0; kills < Math.min(CHECK_EVERY, ROUNDS); kills += 1)
            await kill();
        });
        expect([...chronicle.model.open.values()]).toEqual([]);
        await untilIdle(server);
        await checkLedger(chronicle.model, there, { isAtRest: true });
      });
    load.expectOfEverything();
    await server.stop();
    await requireWhole(server.dataDir);
  },
);
