import { expect, test } from "vitest";
import { modeOf } from "./run-event.ts";

test.each([
  ["values", "values"],
  ["values|booking:1ef|book:2ab", "values"],
  ["messages", "messages-tuple"],
  ["messages|agent:1ef", "messages-tuple"],
  ["messages/partial", "messages"],
  ["messages/complete|agent:1ef", "messages"],
  ["end", "end"],
])("%s is of mode %s", (event, mode) => {
  expect(modeOf(event)).toBe(mode);
});
