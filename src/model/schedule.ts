import { Cron as Expression } from "croner";

/** When something happens again and again. */
export interface Schedule {
  /** A cron expression of 5 fields, or of 6 with the seconds in front. */
  schedule: string;
  /** IANA name; null is UTC. */
  timezone: string | null;
}

/** An expression for every minute of the day at its own second would be shorter. */
export const MAX_SCHEDULE = 500;

const SHAPE =
  "must be a cron expression of 5 fields (minute, hour, day of month, month, day of week), or of 6 with the seconds in front";

function parse({ schedule, timezone }: Schedule): Expression {
  return new Expression(schedule, {
    timezone: timezone ?? "UTC",
    paused: true,
    mode: "5-or-6-parts",
    // A time of day that comes twice when clocks are set back fires once, in lists and ranges of hours too.
    fixedTimeRule: "no-wildcard",
  });
}

/** The first tick that is later than `after`; null when there is none any more. */
export const nextTick = (schedule: Schedule, after: Date): Date | null =>
  parse(schedule).nextRun(after);

/** What is wrong with an expression; null when nothing is. */
export function scheduleProblem(schedule: string): string | null {
  // croner takes a date as well, for something that happens once.
  const fields = schedule.trim().split(/\s+/);
  if (fields.length === 1 && !schedule.includes("@")) return SHAPE;
  try {
    const next = nextTick({ schedule, timezone: null }, new Date());
    return next === null ? "there is no day on which it would fire" : null;
  } catch (cause) {
    const reason = (cause as Error).message.replace(/^CronPattern: /, "");
    return `${SHAPE}: ${reason}`;
  }
}

export function isTimezone(name: string): boolean {
  // Newer versions of Node take an offset for a zone, older ones do not.
  if (!/^[a-z]/i.test(name)) return false;
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return true;
  } catch {
    return false;
  }
}
