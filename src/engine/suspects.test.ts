import { expect, test } from "vitest";
import type { WorkerDeath } from "../workers/attempt.ts";
import { Suspects } from "./suspects.ts";

const death = (...runs: string[]): WorkerDeath => ({
  status: "worker died",
  byUs: false,
  company: new Set(runs),
});

/** Each run of a worker hears of its death by itself. */
const heard = (suspects: Suspects, one: WorkerDeath): number[] =>
  [...one.company].map((run) => suspects.deathsOf(run, one));

test("a death with one run is that run's doing", () => {
  const suspects = new Suspects();
  expect(heard(suspects, death("a"))).toEqual([1]);
  expect(suspects.casesOf("a")).toBe(0);
});

test("a death with several counts against none of them, and makes suspects", () => {
  const suspects = new Suspects();
  expect(heard(suspects, death("a", "b"))).toEqual([0, 0]);
  expect(heard(suspects, death("a", "c"))).toEqual([0, 0]);
  expect(["a", "b", "c"].map((run) => suspects.casesOf(run))).toEqual([
    2, 1, 1,
  ]);
});

test("a run that dies alone answers for its open cases, and the others are cleared", () => {
  const suspects = new Suspects();
  heard(suspects, death("a", "b"));
  heard(suspects, death("a", "b", "c"));
  heard(suspects, death("b", "d"));
  expect(heard(suspects, death("a"))).toEqual([3]);
  expect(["a", "b", "c", "d"].map((run) => suspects.casesOf(run))).toEqual([
    0, 1, 0, 1,
  ]);
});

test("a run that has ended is no suspect any more", () => {
  const suspects = new Suspects();
  heard(suspects, death("a", "b"));
  suspects.clear("b");
  expect(suspects.casesOf("b")).toBe(0);
  expect(suspects.casesOf("a")).toBe(1);
});

test("a worker that we have ended was nobody's doing, nor is a death before the run came", () => {
  const suspects = new Suspects();
  expect(suspects.deathsOf("a", { ...death("a"), byUs: true })).toBe(0);
  expect(suspects.deathsOf("late", death("a"))).toBe(0);
});
