import { describe, expect, it } from "vitest";
import { EMPTY_STATE } from "../model/thread-state.ts";
import type { GraphState } from "../workers/port.ts";
import { StateCache } from "./state-cache.ts";

const graph: GraphState = {
  graph_id: "agent",
  state: "loaded",
  milliseconds: 3,
};
const version = { stamp: "checkpoint 1", graph };
const stateOf = (size: number) => ({
  ...EMPTY_STATE,
  values: "x".repeat(size),
});

describe("the cache of states", () => {
  it("gives back what was kept for the same version", () => {
    const cache = new StateCache();
    cache.set("a", version, EMPTY_STATE);
    expect(cache.get("a", { ...version })).toBe(EMPTY_STATE);
    expect(cache.get("b", version)).toBeNull();
  });

  it("forgets a state whose checkpoint has changed", () => {
    const cache = new StateCache();
    cache.set("a", version, EMPTY_STATE);
    expect(cache.get("a", { ...version, stamp: "checkpoint 2" })).toBeNull();
    expect(cache.get("a", version)).toBeNull();
  });

  it("forgets a state whose graph was loaded anew", () => {
    const cache = new StateCache();
    cache.set("a", version, EMPTY_STATE);
    expect(cache.get("a", { ...version, graph: { ...graph } })).toBeNull();
  });

  it("makes room by forgetting what was not asked for longest", () => {
    const cache = new StateCache();
    const megabyte = stateOf(1024 * 1024);
    for (let index = 0; index < 12; index += 1)
      cache.set(`thread ${index}`, version, megabyte);
    cache.get("thread 0", version);
    for (let index = 12; index < 20; index += 1)
      cache.set(`thread ${index}`, version, megabyte);
    expect(cache.get("thread 0", version)).toBe(megabyte);
    expect(cache.get("thread 1", version)).toBeNull();
    expect(cache.get("thread 19", version)).toBe(megabyte);
  });

  it("does not keep a state that would push out the others", () => {
    const cache = new StateCache();
    cache.set("small", version, EMPTY_STATE);
    cache.set("huge", version, stateOf(5 * 1024 * 1024));
    expect(cache.get("huge", version)).toBeNull();
    expect(cache.get("small", version)).toBe(EMPTY_STATE);
  });

  it("counts a state that is set again once", () => {
    const cache = new StateCache();
    const megabyte = stateOf(1024 * 1024);
    cache.set("other", version, EMPTY_STATE);
    for (let times = 0; times < 50; times += 1)
      cache.set("a", version, megabyte);
    expect(cache.get("other", version)).toBe(EMPTY_STATE);
  });
});
