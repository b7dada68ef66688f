import type { JsonObject } from "../lib/json.ts";
import { nextTick, type Schedule } from "./schedule.ts";

export const ON_RUN_COMPLETED = ["delete", "keep"] as const;
export type OnRunCompleted = (typeof ON_RUN_COMPLETED)[number];

/** A cron as the API shows it. */
export interface Cron extends Schedule {
  cron_id: string;
  assistant_id: string;
  /** Null: each of its runs gets a thread of its own. */
  thread_id: string | null;
  /** What becomes of that thread; null for a cron that has a thread. */
  on_run_completed: OnRunCompleted | null;
  /** It does not fire later than this. */
  end_time: string | null;
  enabled: boolean;
  /** Null: it will not fire as it stands. */
  next_run_date: string | null;
  user_id: string | null;
  metadata: JsonObject;
  /** The body of the run that each tick creates. */
  payload: JsonObject;
  created_at: string;
  updated_at: string;
}

/** What becomes of ticks that nobody was there to fire: one run for all of them, or none. */
export const MISSED_TICKS = ["run_once", "skip"] as const;
export type MissedTicks = (typeof MISSED_TICKS)[number];

/** A server that is there may be this late, with all that it has to do, and fires each tick. */
const MISSED_AFTER_MS = 60_000;

type Timing = Pick<Cron, "schedule" | "timezone" | "end_time" | "enabled">;

/** The first tick later than `after`. Null: there will be none as things stand. */
export function nextRunDate(cron: Timing, after: Date): Date | null {
  if (!cron.enabled) return null;
  const next = nextTick(cron, after);
  return next === null || isOver(cron, next) ? null : next;
}

const isOver = ({ end_time }: Pick<Cron, "end_time">, at: Date): boolean =>
  end_time !== null && at.getTime() > Date.parse(end_time);

/** What is to be done about a tick that is due. */
export interface TickPlan {
  fires: boolean;
  /** The next tick. */
  next: Date | null;
}

/** Ticks that were missed are one tick, so that whoever comes back does not start with a pile of runs. */
export function planTick(
  cron: Timing,
  { scheduled, now, missed }: { scheduled: Date; now: Date; missed: MissedTicks }, // prettier-ignore
): TickPlan {
  if (now.getTime() - scheduled.getTime() <= MISSED_AFTER_MS)
    return { fires: true, next: nextRunDate(cron, scheduled) };
  return {
    fires: missed === "run_once" && !isOver(cron, now),
    next: nextRunDate(cron, now),
  };
}
