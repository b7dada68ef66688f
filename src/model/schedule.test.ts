import { describe, expect, it } from "vitest";
import { isTimezone, nextTick, scheduleProblem } from "./schedule.ts";

/** The first ticks after a moment, as times in UTC. */
function ticks(
  schedule: string,
  timezone: string | null,
  after: string,
  count = 3,
): string[] {
  const found: string[] = [];
  let last = new Date(after);
  while (found.length < count) {
    const next = nextTick({ schedule, timezone }, last);
    if (next === null) break;
    found.push(next.toISOString().replace(":00.000Z", "Z"));
    last = next;
  }
  return found;
}

const NEW_YORK = "America/New_York";

describe("ticks", () => {
  it("are in UTC without a time zone", () => {
    expect(ticks("30 9 * * 1-5", null, "2026-01-02T12:00:00Z")).toEqual([
      "2026-01-05T09:30Z",
      "2026-01-06T09:30Z",
      "2026-01-07T09:30Z",
    ]);
  });

  it("are at the same time of day in a time zone, over both changes of its clocks", () => {
    // 9:00 in New York is 14:00 UTC in winter and 13:00 in summer.
    expect(ticks("0 9 * * *", NEW_YORK, "2026-03-06T20:00:00Z")).toEqual([
      "2026-03-07T14:00Z",
      "2026-03-08T13:00Z",
      "2026-03-09T13:00Z",
    ]);
    expect(ticks("0 9 * * *", NEW_YORK, "2026-10-30T20:00:00Z")).toEqual([
      "2026-10-31T13:00Z",
      "2026-11-01T14:00Z",
      "2026-11-02T14:00Z",
    ]);
  });

  it("come as soon as the clocks have jumped over their time, once, on the same day", () => {
    // 2:00 becomes 3:00, which is 7:00 UTC.
    expect(ticks("30 2 * * *", NEW_YORK, "2026-03-07T20:00:00Z", 2)).toEqual([
      "2026-03-08T07:00Z",
      "2026-03-09T06:30Z",
    ]);
    expect(ticks("0,30 2 * * *", NEW_YORK, "2026-03-07T20:00:00Z", 2)).toEqual([
      "2026-03-08T07:00Z",
      "2026-03-09T06:00Z",
    ]);
  });

  it("do not come twice when their time does", () => {
    // 1:30 comes at 5:30 and at 6:30 UTC.
    for (const hours of ["1", "1,13", "1-1"])
      expect(
        ticks(`30 ${hours} * * *`, NEW_YORK, "2026-10-31T20:00:00Z", 1),
      ).toEqual(["2026-11-01T05:30Z"]);
    expect(ticks("30 1 * * *", NEW_YORK, "2026-11-01T05:30:00Z", 1)).toEqual([
      "2026-11-02T06:30Z",
    ]);
    expect(ticks("30 1,13 * * *", NEW_YORK, "2026-11-01T05:30:00Z", 1)).toEqual(
      ["2026-11-01T18:30Z"],
    );
  });

  it("of every hour and minute come at each of them, also of those that the clocks repeat or leave out", () => {
    expect(ticks("30 * * * *", NEW_YORK, "2026-11-01T05:00:00Z")).toEqual([
      "2026-11-01T05:30Z",
      "2026-11-01T06:30Z",
      "2026-11-01T07:30Z",
    ]);
    expect(ticks("*/30 * * * *", NEW_YORK, "2026-03-08T06:20:00Z")).toEqual([
      "2026-03-08T06:30Z",
      "2026-03-08T07:00Z",
      "2026-03-08T07:30Z",
    ]);
  });

  it("may be at seconds, with a sixth field in front", () => {
    expect(ticks("*/20 * * * * *", null, "2026-01-01T00:00:05.500Z")).toEqual([
      "2026-01-01T00:00:20.000Z",
      "2026-01-01T00:00:40.000Z",
      "2026-01-01T00:01Z",
    ]);
  });

  it("are on either of the days when both the month's and the week's are given", () => {
    expect(ticks("0 0 13 * 5", null, "2026-03-07T12:00:00Z", 2)).toEqual([
      "2026-03-13T00:00Z",
      "2026-03-20T00:00Z",
    ]);
  });
});

describe("expressions", () => {
  it.each([
    "* * * * *",
    "0 9 * * MON-FRI",
    "*/15 0-6,22-23 1,15 JAN,jul ?",
    "0 0 L * *",
    "0 0 * * 7",
    "30 */5 * * * *",
    "@daily",
    "0 0 29 2 *",
  ])("%s is one", (schedule) => {
    expect(scheduleProblem(schedule)).toBeNull();
  });

  it.each([
    "",
    " ",
    "daily",
    "* * * *",
    "0 0 0 1 1 * 2030",
    "60 * * * *",
    "* 24 * * *",
    "* * 0 * *",
    "*/0 * * * *",
    "5-1 * * * *",
    "a * * * *",
    "@reboot",
    "2030-12-24T12:00:00",
    "* * * * * \0",
  ])("%j is none", (schedule) => {
    expect(scheduleProblem(schedule)).toMatch(/^must be a cron expression/);
  });

  it("that never fire are told", () => {
    expect(scheduleProblem("0 0 31 2 *")).toMatch(/no day/);
  });
});

it("knows the names of time zones from offsets and inventions", () => {
  expect(["UTC", "Europe/Berlin", "Asia/Kathmandu"].every(isTimezone)).toBe(
    true,
  );
  expect(
    ["", "+02:00", "-05", "Nowhere/Land", "Europe/Berlin ", "\0"].some(
      isTimezone,
    ),
  ).toBe(false);
});
