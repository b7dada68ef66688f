import { expect, test } from "vitest";
import { firstSeqOf } from "./event-numbers.ts";

test("the events of a first attempt go on where those of the thread end", () => {
  expect(firstSeqOf({ attempt: 1, last_event_seq: 7 })).toBe(8);
});

test("no attempt has the numbers of one before it, of which nothing or something was stored", () => {
  const second = firstSeqOf({ attempt: 2, last_event_seq: 7 });
  const seen = second + 10;
  expect(firstSeqOf({ attempt: 3, last_event_seq: 7 })).toBeGreaterThan(seen);
  expect(
    firstSeqOf({ attempt: 3, last_event_seq: second + 3 }),
  ).toBeGreaterThan(seen);
});
