/**
 * Workers and the server are killed with kill -9, again and again, while
 * clients start, follow, stop and answer runs. Each client keeps every frame
 * that it sees. In the end every acknowledged run is there and has ended, no
 * thread has ever had two runs at once, and what each reader saw is the log.
 *
 * `CHAOS_SECONDS` and `CHAOS_CLIENTS` make it longer; `CHAOS_SEED` repeats a choice of operations.
 */
import { test } from "vitest";
import { killIfAlive } from "../support/processes.ts";
import { Random } from "../support/random.ts";
import {
  CRASH_GRAPHS,
  startServer,
  type TestServer,
} from "../support/server.ts";
import { requireWhole } from "./data-folder.ts";
import { untilIdle } from "./load.ts";
import { inRound, SEED } from "./seed.ts";
import { StreamClient } from "./stream-client.ts";
import {
  checkFollowed,
  expectOfEverything,
  someMoreFrames,
  underLoad,
} from "./stream-load.ts";

const SECONDS = Number(process.env["CHAOS_SECONDS"] ?? 30);
const CLIENTS = Number(process.env["CHAOS_CLIENTS"] ?? 32);

const KILLS = ["one worker", "server", "all workers"] as const;
type Kill = (typeof KILLS)[number];

test(
  "what readers saw is the log, and every run ends, whatever is killed",
  { timeout: 120_000 + SECONDS * 3000 },
  async () => {
    const server = await startServer({
      config: CRASH_GRAPHS,
      workers: 2,
      // What is lost is the question here, not when to give up.
      env: { BG_JOB_MAX_RETRIES: "1000" },
    });
    const random = new Random(SEED);
    const clients = Array.from(
      { length: CLIENTS },
      (_, n) =>
        new StreamClient({
          server,
          random: new Random(SEED + n + 1),
          name: `c${n}`,
        }),
    );
    const kills = await underLoad(clients, (signal) =>
      killing({ server, clients, random, signal }),
    );
    const counts = await inRound(kills.length, async () => {
      await untilIdle(server);
      return checkFollowed(server, clients);
    });
    await server.stop();
    await requireWhole(server.dataDir);
    expectOfEverything(kills.length, counts);
  },
);

async function killing(params: {
  server: TestServer;
  clients: StreamClient[];
  random: Random;
  signal: AbortSignal;
}): Promise<Kill[]> {
  const { server, clients, random, signal } = params;
  const kills: Kill[] = [];
  const end = Date.now() + SECONDS * 1000;
  // Each kind once, however slow the machine is.
  while (Date.now() < end || kills.length < KILLS.length) {
    await someMoreFrames(clients, random.between(20, 400), signal);
    const kill =
      KILLS[kills.length] ??
      random.weighted({ "one worker": 3, "all workers": 1, server: 3 });
    kills.push(kill);
    if (kill === "server") {
      await server.kill9();
      await server.start();
      continue;
    }
    const workers = server.workerPids();
    const one = random.between(0, workers.length);
    for (const [index, pid] of workers.entries())
      if (kill === "all workers" || index === one) killIfAlive(pid);
  }
  return kills;
}
