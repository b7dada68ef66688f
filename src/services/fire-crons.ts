import { ANONYMOUS } from "../auth/caller.ts";
import { UNRESTRICTED } from "../model/access.ts";
import { planTick, type MissedTicks, type TickPlan } from "../model/cron.ts";
import { AppError, invalid } from "../model/errors.ts";
import { statelessRunCreate, threadRunCreate } from "../model/run-requests.ts";
import {
  advanceCron,
  insertTick,
  listUpcomingTicks,
  type UpcomingTick,
} from "../storage/cron-ticks.ts";
import { getCron, type StoredCron } from "../storage/crons.ts";
import { announce } from "./accept-run.ts";
import { acceptIn, type Accepted } from "./enqueue-run.ts";
import {
  statelessAcceptance,
  threadAcceptance,
  type Acceptance,
} from "./run-acceptance.ts";
import type { RunDeps } from "./run-deps.ts";

/*
 * Firing crons. A tick, its run and the move to the next tick are one
 * transaction: whoever dies in between has done nothing, and the tick is
 * still due. Who is late, or was thought dead, finds the cron moved on, or
 * the tick written down, and creates no second run.
 */

export interface CronDeps extends RunDeps {
  missedTicks: MissedTicks;
}

/** Transactions of one group, which share a commit; nobody else is served while they are made. */
const FIRED_AT_ONCE = 20;

/** Fires what is due. Resolves to the milliseconds until there is more; null when there is no cron that will fire. */
export async function fireDueCrons(
  deps: CronDeps,
  signal: AbortSignal,
): Promise<number | null> {
  while (!signal.aborted) {
    const ticks = await listUpcomingTicks(deps.database, FIRED_AT_ONCE);
    const due = ticks.filter((tick) => untilDue(tick) <= 0);
    if (due.length === 0) return ticks[0] ? untilDue(ticks[0]) : null;
    const fired = await Promise.allSettled(due.map((tick) => fire(deps, tick)));
    // The others have got their runs; what failed is still due.
    for (const one of fired) if (one.status === "rejected") throw one.reason;
  }
  return null;
}

const untilDue = ({ next_run_date, clock }: UpcomingTick): number =>
  Date.parse(next_run_date) - Date.parse(clock);

interface Tick {
  cron: StoredCron;
  scheduled: Date;
  plan: TickPlan;
}

async function fire(deps: CronDeps, due: UpcomingTick): Promise<void> {
  const { database, log, missedTicks: missed } = deps;
  const cron = await getCron(database, due.cron_id, UNRESTRICTED);
  if (cron?.next_run_date !== due.next_run_date) return; // changed meanwhile
  const scheduled = new Date(due.next_run_date);
  const now = new Date(due.clock);
  const tick: Tick = {
    cron,
    scheduled,
    plan: planTick(cron, { scheduled, now, missed }),
  };
  const accepted = tick.plan.fires ? await accept(deps, tick) : null;
  if (accepted !== null) {
    announce(deps, accepted);
    const { run_id, thread_id } = accepted.run;
    log.debug({ cron_id: cron.cron_id, run_id, thread_id }, "a cron has fired");
  } else await pass(deps, tick);
}

/** Null when the tick gets no run: it has had one, or none can be created. */
async function accept(deps: CronDeps, tick: Tick): Promise<Accepted | null> {
  try {
    const acceptance = await acceptanceOf(deps, tick.cron);
    return await deps.database.transaction(async (tx) => {
      const accepted = await acceptIn(tx, deps, acceptance);
      const { cron_id } = tick.cron;
      const move = { cron_id, scheduled: tick.scheduled, next: tick.plan.next };
      const isOurs =
        (await advanceCron(tx, move)) &&
        (await insertTick(tx, { ...move, run_id: accepted.run.run_id }));
      if (!isOurs) throw new TickTaken(); // takes the run back
      return accepted;
    });
  } catch (cause) {
    if (cause instanceof TickTaken) return null;
    if (!isRefusal(cause)) throw cause;
    const { cron_id } = tick.cron;
    deps.log.warn(
      { cron_id, scheduled_at: tick.scheduled, reason: cause.message },
      "a cron could not create its run; this tick has none",
    );
    return null;
  }
}

class TickTaken extends Error {}

/** What would be the same at the next try. */
const isRefusal = (cause: unknown): cause is AppError =>
  cause instanceof AppError &&
  cause.code !== "unavailable" &&
  cause.code !== "storage_full";

/** The cron goes on to its next tick, without a run. */
async function pass({ database }: CronDeps, tick: Tick): Promise<void> {
  const { cron, scheduled, plan } = tick;
  await database.transaction((tx) =>
    advanceCron(tx, { cron_id: cron.cron_id, scheduled, next: plan.next }),
  );
}

/** The run as a client would have asked for it. */
function acceptanceOf(deps: CronDeps, cron: StoredCron): Promise<Acceptance> {
  const { thread_id, assistant_id, cron_id, headers } = cron;
  const caller = { ...ANONYMOUS, headers };
  const body = {
    ...cron.payload,
    assistant_id,
    metadata: { ...cron.metadata, cron_id },
  };
  if (thread_id !== null) {
    const request = parsed(threadRunCreate, body);
    const run = { thread_id, request, isBackground: true };
    return threadAcceptance(deps, caller, run);
  }
  const request = parsed(statelessRunCreate, {
    ...body,
    on_completion: cron.on_run_completed,
  });
  return statelessAcceptance(deps, caller, { request });
}

/** It was checked when it was stored; a later version may be stricter. */
function parsed<Output>(
  schema: {
    safeParse(
      body: unknown,
    ):
      | { success: true; data: Output }
      | { success: false; error: { message: string } };
  },
  body: unknown,
): Output {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  throw invalid("payload", result.error.message);
}
