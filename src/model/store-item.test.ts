import { describe, expect, it } from "vitest";
import {
  matchesFilter,
  matchesLabels,
  requireNamespace,
} from "./store-item.ts";

const item = {
  n: 5,
  text: "a",
  flag: true,
  none: null,
  tags: ["x"],
  deep: { a: 1 },
};

describe("matchesFilter", () => {
  it.each([
    [{}, true],
    [{ n: 5, text: "a" }, true],
    [{ n: 5, text: "b" }, false],
    [{ n: "5" }, false],
    [{ none: null }, true],
    [{ missing: null }, false],
    [{ toString: "x" }, false],
    [{ tags: ["x"] }, true],
    [{ tags: ["x", "y"] }, false],
    [{ deep: { a: 1 } }, true],
    [{ deep: { a: 1, b: 2 } }, false],
    [{ n: { $eq: 5 } }, true],
    [{ n: { $ne: 5 } }, false],
    [{ missing: { $ne: 5 } }, true],
    [{ n: { $gt: 4, $lt: 6 } }, true],
    [{ n: { $gt: 5 } }, false],
    [{ n: { $gte: 5, $lte: 5 } }, true],
    [{ n: { $lt: 5 } }, false],
    [{ missing: { $lt: 5 } }, false],
    [{ text: { $gt: "A" } }, false], // compared as numbers, which texts are not
    [{ n: { $in: [4, 5] } }, true],
    [{ n: { $nin: [4, 5] } }, false],
    [{ deep: { $eq: { a: 1 } } }, true],
    [{ deep: { $eq: 1, other: 2 } }, false], // not only operators: a value like any other
  ])("%j is %s", (filter, expected) => {
    expect(matchesFilter(item, filter)).toBe(expected);
  });
});

describe("matchesLabels", () => {
  it.each([
    [["a", "b", "c"], [], "start", true],
    [["a", "b", "c"], ["a"], "start", true],
    [["ab"], ["a"], "start", false],
    [["a", "b"], ["*", "b"], "start", true],
    [["a"], ["a", "*"], "start", false],
    [["a", "b", "c"], ["b", "c"], "end", true],
    [["a", "b", "c"], ["a", "b"], "end", false],
    [["a", "b", "c"], ["*", "c"], "end", true],
    [["c"], ["*", "c"], "end", false],
  ] as const)("%j with %j at the %s is %s", (labels, pattern, at, expected) => {
    expect(matchesLabels(labels, pattern, at)).toBe(expected);
  });
});

describe("requireNamespace", () => {
  const params = { field: "namespace", allowEmpty: false };

  it("refuses none, and labels that are empty or hold a period", () => {
    expect(() => requireNamespace([], params)).toThrow("Namespace is required");
    for (const labels of [["a", ""], ["a.b"]])
      expect(() => requireNamespace(labels, params)).toThrow(
        `Namespace labels cannot be empty or contain periods. Received: ${labels.join(".")}`,
      );
  });

  it("takes any other text, and none where none is allowed", () => {
    requireNamespace(["a_%", "ü / :"], params);
    requireNamespace([], { ...params, allowEmpty: true });
  });
});
