/**
 * Three instances on one Postgres, under a load of everything that they can be
 * asked to write, while instances, workers, connections and the database go
 * down, stand still and come back. Each client keeps a ledger, on disk, of what
 * it asks and what it is told. In the end all that was acknowledged is there,
 * what was not answered is there wholly or not at all, and every run has ended.
 *
 * `CHAOS_SECONDS` and `CHAOS_CLIENTS` make it longer; `CHAOS_SEED` makes the same choices again.
 * `CHAOS_KILLS=200`: nothing happens but that many kills of instances.
 */
import { test } from "vitest";
import { checkLedger } from "../../chaos/check-ledger.ts";
import { checkTurns } from "../../chaos/check-turns.ts";
import { Contradiction } from "../../chaos/chronicle.ts";
import { Load, untilIdle } from "../../chaos/load.ts";
import { lookUpUnanswered } from "../../chaos/look-up.ts";
import { inRound, SEED } from "../../chaos/seed.ts";
import { WhatIsThere } from "../../chaos/what-is-there.ts";
import { Fleet } from "../../support/fleet.ts";
import { Random } from "../../support/random.ts";
import { waitFor } from "../../support/wait.ts";
import { requireWhole } from "./data-of-fleet.ts";
import { Faults } from "./faults.ts";

const SECONDS = Number(process.env["CHAOS_SECONDS"] ?? 20);
const KILLS = Number(process.env["CHAOS_KILLS"] ?? 0);

/** At most: the start, what clients do until the next one, and the checks of it in the end. */
const KILL_MS = 30_000;

test(
  "whatever goes down, what was acknowledged is there, and every run comes to its end",
  { timeout: 240_000 + SECONDS * 3000 + KILLS * KILL_MS },
  async () => {
    const fleet = await Fleet.start({
      random: new Random(SEED),
      // What is lost is the question here, not when to give up.
      server: { env: { BG_JOB_MAX_RETRIES: "1000" } },
    });
    const there = new WhatIsThere(fleet);
    const lookUp = (who: string | null) => insist(load, there, fleet, who);
    using load: Load = new Load(fleet, lookUp);
    const faults = new Faults(fleet, load.random);
    const { failed: signal } = load;
    const began = performance.now();
    await inRound(0, () =>
      load.during(() =>
        KILLS > 0
          ? faults.kill({ times: KILLS, between: untilAmid(load), signal })
          : faults.go({
              milliseconds: SECONDS * 1000,
              between: () => load.someMore(5, 40),
              signal,
            }),
      ),
    );
    await inRound(faults.happened.length, async () => {
      await fleet.settled();
      await lookUp(null);
      await untilIdle(fleet);
      const model = load.chronicle.reread();
      await checkLedger(model, there, { isAtRest: true });
      for (const thread of model.threads.values())
        for (const { notes } of thread.runs)
          checkTurns(thread.thread_id, notes);
      await requireWhole(fleet);
    });
    load.expectOfEverything();
    process.stderr.write(
      `${JSON.stringify({ ...faults.counts(), acknowledged: load.chronicle.acknowledged, seconds: Math.round((performance.now() - began) / 1000), ...load.chronicle.counts() })}\n`,
    );
  },
);

/** Some operations later, and in the midst of one. */
const untilAmid = (load: Load) => async (): Promise<void> => {
  await load.someMore(5, 40);
  await load.amidSomething();
};

/** Looks up what became of what was not answered; asks again when the answer does not come either. */
async function insist(
  { chronicle }: Load,
  there: WhatIsThere,
  fleet: Fleet,
  who: string | null,
): Promise<void> {
  let contradiction: Contradiction | null = null;
  await waitFor(
    "what was not answered is looked up",
    async () => {
      await fleet.settled();
      await lookUpUnanswered(chronicle, there, who).catch((error: unknown) => {
        if (!(error instanceof Contradiction)) throw error;
        contradiction = error;
      });
      return true;
    },
    { timeoutMs: 60_000, everyMs: 100 },
  );
  if (contradiction !== null) throw contradiction as Contradiction;
}
