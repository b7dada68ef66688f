import { expect, test } from "vitest";
import type { ProducedEvent } from "../model/run-event.ts";
import { resultFrames, RunResults } from "./run-results.ts";

const state = (n: number): ProducedEvent => ["values", JSON.stringify({ n })];
const question: ProducedEvent = ["values", '{"__interrupt__":[{"id":"a"}]}'];

test("a result is made of the last state and the questions around it", () => {
  const other: ProducedEvent = ["messages", "[]"];
  expect(resultFrames([])).toEqual([]);
  expect(resultFrames([state(1), other, state(2)])).toEqual([state(2)]);
  expect(resultFrames([state(1), question, other, state(2), question])).toEqual(
    [question, state(2), question],
  );
  expect(resultFrames([question])).toEqual([question]);
});

test("a long state that the thread shows is left out and remembered", () => {
  const results = new RunResults();
  const values = { text: "x".repeat(40_000) };
  const long: ProducedEvent = ["values", JSON.stringify(values)];
  expect(results.lean("run", [long, question], values)).toEqual([question]);
  expect(results.stateOf("run")).toBe(long[1]);
  expect(results.stateOf("other")).toBeNull();
});

test("a short state, and one that the thread does not show, stay", () => {
  const results = new RunResults();
  const long: ProducedEvent = [
    "values",
    JSON.stringify({ text: "x".repeat(40_000) }),
  ];
  expect(results.lean("a", [long], { text: "another" })).toEqual([long]);
  expect(results.lean("b", [state(1)], { n: 1 })).toEqual([state(1)]);
});

test("what is remembered has a bound; the newest stays", () => {
  const results = new RunResults();
  const values = { text: "x".repeat(5 * 1024 * 1024) };
  const long: ProducedEvent = ["values", JSON.stringify(values)];
  for (const run of ["1", "2", "3", "4"]) results.lean(run, [long], values);
  expect(
    ["1", "2", "3", "4"].map((run) => results.stateOf(run) !== null),
  ).toEqual([false, true, true, true]);
});

test("the frames of a run are remembered as they were", () => {
  const results = new RunResults();
  results.remember("run", [question, state(2)]);
  expect(results.framesOf("run")).toEqual([question, state(2)]);
  expect(results.framesOf("other")).toBeNull();
});
