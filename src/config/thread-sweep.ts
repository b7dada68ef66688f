import { THREAD_SWEEP, type ThreadSweep } from "../model/thread.ts";
import { amount, type toSection } from "./sections.ts";

type Section = NonNullable<ReturnType<typeof toSection>>;

/** Of `checkpointer.ttl`; threads with a time to live of their own need no default for it. */
export const toThreadSweep = (section: Section): ThreadSweep => ({
  every_minutes:
    amount(section, "sweep_interval_minutes") ?? THREAD_SWEEP.every_minutes,
  limit: Math.ceil(amount(section, "sweep_limit") ?? THREAD_SWEEP.limit),
});
