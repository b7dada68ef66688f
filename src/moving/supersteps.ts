import { isDeepStrictEqual } from "node:util";
import { isObject, type Json, type JsonObject } from "../lib/json.ts";
import type { StateUpdate } from "../protocol/state-frames.ts";

/*
 * A thread's history as supersteps that make the same one: its input, then what each
 * node has returned, step by step. The API tells states and the results of
 * tasks, not checkpoints, so ids, times and what subgraphs kept for themselves
 * are not part of it.
 */

/** A state as the API of any server tells it. */
export interface ForeignState {
  values: Json;
  next: string[];
  tasks: ForeignTask[];
  metadata: JsonObject | null;
  checkpoint: { checkpoint_id?: string } | null;
  parent_checkpoint: { checkpoint_id?: string } | null;
}

export interface ForeignTask {
  name: string;
  error?: Json;
  interrupts?: Json[];
  result?: Json;
}

export interface Superstep {
  updates: StateUpdate[];
}

export interface Rebuilt {
  /** What may lead to the same state, the likeliest first. */
  candidates: Superstep[][];
  /** States beside the line that leads to the newest one. */
  branched: number;
}

/** What led from one state to the next: of an update from outside only what it changed is known, not in whose name it was made. */
type Step = Superstep | { change: Json; tasks: string[] };

/** From the newest state to the oldest. Two states are held at a time. */
export async function rebuildHistory(
  history: AsyncIterable<ForeignState>,
): Promise<Rebuilt> {
  const reversed: Step[] = [];
  let next: string[] = [];
  let newer: ForeignState | null = null;
  let branched = 0;
  for await (const state of history) {
    if (newer === null) next = state.next;
    else if (idOf(state.checkpoint) !== idOf(newer.parent_checkpoint)) {
      branched += 1;
      continue;
    }
    const steps = newer === null ? [] : stepsBetween(state, newer);
    reversed.push(...steps);
    if (sourceOf(state) === "input") reversed.push(inputOf(state, newer));
    newer = state;
  }
  if (newer !== null && sourceOf(newer) !== "input") {
    const change = changeBetween({}, newer.values);
    if (change !== null) reversed.push({ change, tasks: ["__start__"] });
  }
  const steps = reversed.reverse();
  const byTasks = withNames(steps, "tasks");
  const byLast = withNames(steps, "last node");
  const likely = next.length === 0 ? ended(byTasks) : goingTo(byTasks, next);
  return { candidates: [byTasks, byLast, likely], branched };
}

/** The values alone, for a history that cannot be rebuilt; what was to come next is not among them. */
export const stateOnly = ({ values }: ForeignState): Superstep[] =>
  ended([
    { updates: [{ values, as_node: "__input__" }] },
    { updates: [{ values, as_node: "__start__" }] },
  ]);

/** The same, and nothing is to be done after it: an update does not use up an edge that waits for several nodes. */
const ended = (supersteps: readonly Superstep[]): Superstep[] => [
  ...supersteps,
  { updates: [{ values: null, as_node: "__end__" }] },
];

/** The same, and then to these nodes: a node that has named the next ones itself leaves no trace of it in the state. */
function goingTo(
  supersteps: readonly Superstep[],
  next: string[],
): Superstep[] {
  const last = supersteps.at(-1);
  const [first, ...others] = last?.updates ?? [];
  if (first === undefined) return [...supersteps];
  const command = {
    ...(first.values === null ? {} : { update: first.values }),
    goto: next,
  };
  return [
    ...supersteps.slice(0, -1),
    { updates: [{ ...first, values: null, command }, ...others] },
  ];
}

const idOf = (checkpoint: ForeignState["checkpoint"]) =>
  checkpoint?.checkpoint_id;

const sourceOf = ({ metadata }: ForeignState) => metadata?.["source"];

/** A history of updates does not tell the input, but what became of it. */
const inputOf = (
  { tasks, values }: ForeignState,
  newer: ForeignState | null,
): Superstep => {
  const input =
    tasks.find(({ name }) => name === "__start__")?.result ??
    (newer === null ? null : changeBetween(values, newer.values));
  return { updates: [{ values: input, as_node: "__input__" }] };
};

function stepsBetween(state: ForeignState, newer: ForeignState): Step[] {
  switch (sourceOf(newer)) {
    case "input": // told by the newer one itself
      return [];
    case "loop": {
      const done = state.tasks.filter(hasFinished);
      const results = seenResults(done, state.values, newer.values);
      const updates = done.map(({ name }, index) => ({
        values: results[index] ?? null,
        as_node: name,
      }));
      return updates.length === 0 ? [] : [{ updates }];
    }
    default: {
      const change = changeBetween(state.values, newer.values);
      const tasks = state.tasks.map(({ name }) => name);
      return change === null && tasks.length === 0 ? [] : [{ change, tasks }];
    }
  }
}

const hasFinished = ({ error, interrupts = [], result = null }: ForeignTask) =>
  result !== null || (error == null && interrupts.length === 0);

/**
 * What became of a list that a node has returned is at the end of the list in
 * the next state: messages have got their ids there. Taken only where it must be that.
 */
function seenResults(
  tasks: readonly ForeignTask[],
  before: Json,
  after: Json,
): Json[] {
  const results = tasks.map(({ result = null }) => result);
  if (!isObject(before) || !isObject(after)) return results;
  for (const [channel, list] of Object.entries(after)) {
    const old = before[channel] ?? [];
    if (!Array.isArray(list) || !Array.isArray(old)) continue;
    const added = list.slice(old.length) as Json[];
    const counts = results.map((result) => countIn(result, channel));
    if (added.length === 0 || sum(counts) !== added.length) continue;
    let start = 0;
    for (const [index, count] of counts.entries()) {
      if (count > 0)
        results[index] = {
          ...(results[index] as JsonObject),
          [channel]: added.slice(start, start + count),
        };
      start += count;
    }
  }
  return results;
}

function countIn(result: Json, channel: string): number {
  if (!isObject(result) || !Object.hasOwn(result, channel)) return 0;
  const value = result[channel];
  return Array.isArray(value) ? value.length : 1;
}

const sum = (numbers: readonly number[]): number =>
  numbers.reduce((total, number) => total + number, 0);

/** What differs, and of a list that has grown what is new; null when nothing does. */
function changeBetween(before: Json, after: Json): JsonObject | null {
  const old = isObject(before) ? (before as JsonObject) : {};
  const changed = Object.entries(isObject(after) ? (after as JsonObject) : {})
    .filter(([channel, value]) => !isDeepStrictEqual(value, old[channel]))
    .map(([channel, value]) => [
      channel,
      grownBy(value, old[channel]) ?? value,
    ]);
  return changed.length === 0
    ? null
    : (Object.fromEntries(changed) as JsonObject);
}

function grownBy(value: Json, old: Json | undefined): Json[] | null {
  if (!Array.isArray(value) || !Array.isArray(old)) return null;
  const isGrown =
    value.length > old.length &&
    isDeepStrictEqual(value.slice(0, old.length), old);
  return isGrown ? value.slice(old.length) : null;
}

/** An update was made for the tasks that were next, or, as LangGraph has it when nobody is named, for the node that was last. */
function withNames(
  steps: readonly Step[],
  by: "tasks" | "last node",
): Superstep[] {
  let last = "__start__";
  return steps.map((step) => {
    const { updates } = "updates" in step ? step : changeAs(step, last, by);
    const name = updates.at(-1)?.as_node ?? last;
    if (!name.startsWith("__")) last = name;
    return { updates };
  });
}

function changeAs(
  { change, tasks }: { change: Json; tasks: string[] },
  last: string,
  by: "tasks" | "last node",
): Superstep {
  const isFirst = tasks.includes("__start__");
  const names =
    (by === "tasks" || isFirst) && tasks.length > 0 ? tasks : [last];
  // Whose part of it is whose is not known either.
  return {
    updates: names.map((as_node, index) => ({
      values: index === 0 ? change : null,
      as_node,
    })),
  };
}
