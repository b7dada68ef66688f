/**
 * The server is killed with kill -9 under a load of everything that it can be
 * asked to write. Each client keeps a ledger, on disk, of what it asks and what
 * it is told. After each start all that was acknowledged must be there as it
 * was acknowledged, and what was not answered wholly or not at all.
 *
 * `CHAOS_ROUNDS` and `CHAOS_CLIENTS` make it longer; `CHAOS_SEED` repeats a choice of operations.
 */
import { test } from "vitest";
import { CRASH_GRAPHS, startServer } from "../support/server.ts";
import { checkLedger } from "./check-ledger.ts";
import { requireWhole } from "./data-folder.ts";
import { Load, untilIdle } from "./load.ts";
import { inRound } from "./seed.ts";
import { lookUpUnanswered } from "./look-up.ts";
import { WhatIsThere } from "./what-is-there.ts";

const ROUNDS = Number(process.env["CHAOS_ROUNDS"] ?? 12);

test(
  "whatever was acknowledged survives kill -9, what was not is whole or absent, and every run comes to its end",
  { timeout: 60_000 + ROUNDS * 20_000 },
  async () => {
    const server = await startServer({
      config: CRASH_GRAPHS,
      // What is lost is the question here, not when to give up.
      env: { BG_JOB_MAX_RETRIES: "1000" },
    });
    using load = new Load(server);
    const { chronicle } = load;
    const there = new WhatIsThere(server);
    for (let round = 1; round <= ROUNDS; round += 1)
      await inRound(round, async () => {
        await load.during(async () => {
          await load.someMore(30, 120);
          await load.amidSomething();
          await server.kill9();
        });
        await requireWhole(server.dataDir);
        await server.start();
        await lookUpUnanswered(chronicle, there);
        await checkLedger(chronicle.model, there, { isAtRest: false });
      });

    await inRound(ROUNDS, async () => {
      await untilIdle(server);
      await checkLedger(chronicle.reread(), there, { isAtRest: true });
    });
    load.expectOfEverything();
  },
);
