import type { Config } from "./config/config.ts";
import { Duty } from "./engine/duty.ts";
import { retention } from "./engine/retention.ts";
import { storeExpiry } from "./engine/store-expiry.ts";
import { storeIndexing } from "./engine/store-indexing.ts";
import { threadExpiry } from "./engine/thread-expiry.ts";
import { fireDueCrons } from "./services/fire-crons.ts";
import type { RunDeps } from "./services/run-deps.ts";
import { CHANNELS } from "./storage/channels.ts";
import type { Embedder } from "./workers/embedder.ts";

/** A notification may be lost between instances; what it was about is found this much later. */
const CRON_POLL_MS = 10_000;

/** What one instance at a time does. */
export function dutiesOf(
  config: Config,
  deps: RunDeps & { embedder: Embedder | null },
): Duty[] {
  const { database, log, embedder } = deps;
  const streamRetentionMs = config.streamRetentionSeconds * 1000;
  const everyMs = config.storeTtl.sweep_minutes * 60_000;
  const duties = [
    cronDuty(deps, config),
    retention({ database, log, streamRetentionMs }),
    threadExpiry(deps, config.threadSweep),
    storeExpiry({ database, log, everyMs }),
  ];
  return embedder === null
    ? duties
    : [...duties, storeIndexing({ database, log, embedder })];
}

const cronDuty = (
  deps: RunDeps,
  { missedTicks }: Pick<Config, "missedTicks">,
): Duty =>
  new Duty(deps, {
    name: "crons",
    everyMs: CRON_POLL_MS,
    channel: CHANNELS.crons,
    work: (signal) => fireDueCrons({ ...deps, missedTicks }, signal),
  });
