import fc from "fast-check";
import { expect, it } from "vitest";
import { jsonContains } from "../lib/json.ts";
import { leastLength, needleReader } from "./json-needle.ts";

it("what contains a needle is never shorter than the needle says", () => {
  const json = fc.jsonValue({ noUnicodeString: false });
  fc.assert(
    fc.property(json, json, (value, other) => {
      for (const needle of [value, [value, value], { other, value }]) {
        expect(jsonContains(needle, needle)).toBe(true);
        const { length } = [...JSON.stringify(needle)]; // as SQLite counts
        expect(leastLength(needle)).toBeLessThanOrEqual(length);
      }
      expect(leastLength([value, value])).toBe(leastLength(value));
    }),
    { numRuns: 50 },
  );
});

it("many keys need many characters, the same ones over and over do not", () => {
  const keys = Array.from({ length: 1000 }, (_, index) => `key ${index}`);
  expect(leastLength(keys)).toBeGreaterThan(4000);
  expect(leastLength(keys.map(() => "key"))).toBeLessThan(10);
});

it("a reader reads what it is given", () => {
  const read = needleReader();
  expect([read("[1]"), read("[1]"), read("{}"), read("[1]")]).toEqual([
    [1],
    [1],
    {},
    [1],
  ]);
});
