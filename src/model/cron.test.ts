import { describe, expect, it } from "vitest";
import { nextRunDate, planTick, type MissedTicks } from "./cron.ts";

const hourly = {
  schedule: "0 * * * *",
  timezone: null,
  end_time: null as string | null,
  enabled: true,
};
const at = (time: string) => new Date(`2026-05-01T${time}Z`);

describe("the next date", () => {
  it("is the first tick after a moment, not at it", () => {
    expect(nextRunDate(hourly, at("10:00:00"))).toEqual(at("11:00:00"));
  });

  it("may be the end time, and nothing later", () => {
    const cron = { ...hourly, end_time: at("11:00:00").toISOString() };
    expect(nextRunDate(cron, at("10:00:00"))).toEqual(at("11:00:00"));
    expect(nextRunDate(cron, at("11:00:00"))).toBeNull();
  });

  it("is none of a cron that is disabled", () => {
    const cron = { ...hourly, enabled: false };
    expect(nextRunDate(cron, at("10:00:00"))).toBeNull();
  });
});

describe("a tick that is due", () => {
  const plan = (now: string, missed: MissedTicks, cron: Partial<typeof hourly> = {}) =>
    planTick(
      { ...hourly, ...cron },
      { scheduled: at("10:00:00"), now: at(now), missed },
    ); // prettier-ignore

  it.each(["run_once", "skip"] as const)(
    "fires when it is a little late, whatever is done about missed ones (%s)",
    (missed) => {
      expect(plan("10:00:59", missed)).toEqual({
        fires: true,
        next: at("11:00:00"),
      });
    },
  );

  it("fires each of the ticks that a busy server comes to a little late", () => {
    const cron = { schedule: "* * * * * *" };
    expect(plan("10:00:20", "run_once", cron).next).toEqual(at("10:00:01"));
  });

  it("stands for all that were missed when nobody was there, and the next one is to come", () => {
    expect(plan("13:20:00", "run_once")).toEqual({
      fires: true,
      next: at("14:00:00"),
    });
  });

  it("is left out when it was missed and missed ones are skipped", () => {
    expect(plan("13:20:00", "skip")).toEqual({
      fires: false,
      next: at("14:00:00"),
    });
  });

  it("is not made up for after the end time", () => {
    const cron = { end_time: at("12:00:00").toISOString() };
    expect(plan("13:20:00", "run_once", cron)).toEqual({
      fires: false,
      next: null,
    });
    expect(plan("10:00:01", "run_once", { end_time: at("10:00:00").toISOString() })).toEqual({ fires: true, next: null }); // prettier-ignore
  });
});
