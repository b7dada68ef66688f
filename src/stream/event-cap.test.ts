import { expect, test } from "vitest";
import { EventCap, MAX_RUN_BYTES, MAX_RUN_EVENTS } from "./event-cap.ts";

test("there is room for so many events, and then the oldest go", () => {
  const cap = new EventCap();
  const segment = MAX_RUN_EVENTS / 10;
  const dropped = Array.from({ length: 13 }, (_, index) =>
    cap.add((index + 1) * segment, 10),
  );
  expect(dropped.slice(0, 10)).toEqual(Array(10).fill(null));
  expect(dropped.slice(10)).toEqual([segment, 2 * segment, 3 * segment]);
});

test("there is room for so many bytes, and then as many go as it takes", () => {
  const cap = new EventCap();
  const quarter = MAX_RUN_BYTES / 4;
  expect([1, 2, 3, 4].map((seq) => cap.add(seq, quarter))).toEqual(
    Array(4).fill(null),
  );
  expect(cap.add(5, 2 * quarter)).toBe(2);
  expect(cap.add(6, 1)).toBe(3);
});

test("the newest segment stays, even when it alone is too much", () => {
  const cap = new EventCap();
  cap.add(1, 1);
  expect(cap.add(2, 2 * MAX_RUN_BYTES)).toBe(1);
  expect(cap.add(3, 1)).toBe(2);
});
