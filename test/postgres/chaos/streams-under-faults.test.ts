/**
 * Clients start, follow, stop and answer runs on three instances, while
 * instances, workers, connections and the database go down, stand still and
 * come back. Each reader is on whichever instance it finds. In the end every
 * acknowledged run is there and has ended, no thread has ever had two runs at
 * once, and what each reader saw is the log.
 *
 * `CHAOS_SECONDS` and `CHAOS_CLIENTS` make it longer; `CHAOS_SEED` makes the same choices again.
 */
import { test } from "vitest";
import { untilIdle } from "../../chaos/load.ts";
import { inRound, SEED } from "../../chaos/seed.ts";
import { StreamClient } from "../../chaos/stream-client.ts";
import {
  checkFollowed,
  expectOfEverything,
  someMoreFrames,
  underLoad,
} from "../../chaos/stream-load.ts";
import { Fleet } from "../../support/fleet.ts";
import { Random } from "../../support/random.ts";
import { requireWhole } from "./data-of-fleet.ts";
import { Faults } from "./faults.ts";

const SECONDS = Number(process.env["CHAOS_SECONDS"] ?? 20);
const CLIENTS = Number(process.env["CHAOS_CLIENTS"] ?? 12);

test(
  "whatever goes down, what readers saw is the log, and every run ends",
  { timeout: 240_000 + SECONDS * 3000 },
  async () => {
    const random = new Random(SEED);
    const fleet = await Fleet.start({
      random: new Random(SEED),
      // What is lost is the question here, not when to give up.
      server: { env: { BG_JOB_MAX_RETRIES: "1000" } },
    });
    const clients = Array.from(
      { length: CLIENTS },
      (_, n) =>
        new StreamClient({
          server: fleet,
          random: new Random(SEED + n + 1),
          name: `c${n}`,
          untilBack: () => fleet.settled(),
        }),
    );
    const faults = new Faults(fleet, random);
    await inRound(0, () =>
      underLoad(clients, (signal) =>
        faults.go({
          milliseconds: SECONDS * 1000,
          between: () =>
            someMoreFrames(clients, random.between(20, 200), signal),
          signal,
        }),
      ),
    );
    const counts = await inRound(faults.happened.length, async () => {
      await untilIdle(fleet);
      const found = await checkFollowed(fleet, clients);
      await requireWhole(fleet);
      return found;
    });
    process.stderr.write(`${JSON.stringify(faults.counts())}\n`);
    expectOfEverything(faults.happened.length, counts);
  },
);
