/*
 * What the tests of one client have called. While they run, every call of the
 * client is one line of `.cache/compatibility/<engine>/<client>.jsonl`; what
 * the lines amount to is a column of docs/compatibility.md, and the same on
 * every engine.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** In the order of their columns, each with what its column is called. */
export const CLIENTS = {
  "js-1.15.0": "JS 1.15.0",
  "js-2.0.0": "JS 2.0.0",
  python: "Python async",
  "python-sync": "Python sync",
};

export type ClientName = keyof typeof CLIENTS;

/** One line of a record. Methods and options are spelled as the client spells them. */
export interface Call {
  client: string;
  version: string;
  /** `threads.getState`, `threads.get_state` */
  method: string;
  options: string[];
  outcome: "ok" | "error";
  /** Of an error that the server answered. */
  status?: number;
}

/** What is known of a method: whether it works, and with what that was shown. */
export interface Entry {
  /** As the page says it: `works`, `not yet (501)`, `fails (404)`. */
  state: string;
  /** Options of the calls that succeeded, in snake case. */
  options: string[];
  /** Statuses of the calls that the server refused. */
  refusals: string[];
}

/** By method in snake case: the one spelling that all clients share. */
export type Column = Map<string, Entry>;

/** Where the tests of a client (`js-1.15.0`, `js-2.0.0`, `python`, `python-sync`) record what they call. */
export const recordFile = (client: string): string =>
  join(
    ROOT,
    ".cache/compatibility",
    process.env["SPOOL_TEST_ENGINE"] ?? "sqlite",
    `${client}.jsonl`,
  );

/** Every call that the last run of a client's tests has recorded; null before the first run. */
export function readRecord(client: string): Call[] | null {
  const file = recordFile(client);
  if (!existsSync(file)) return null;
  return readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Call);
}

export function columnOf(calls: Call[]): Column {
  const methods = groupBy(calls, ({ method }) => rowOf(method));
  return new Map(
    [...methods].map(([method, group]) => [method, entryOf(group)]),
  );
}

/** `threads.getState` → `threads.get_state`; the name of the resource stays. */
export function rowOf(method: string): string {
  const [resource = "", name = ""] = method.split(".");
  return `${resource}.${snakeCase(name)}`;
}

const snakeCase = (name: string): string =>
  name.replaceAll(
    /(?<=[a-z0-9])[A-Z]/g,
    (letter) => `_${letter.toLowerCase()}`,
  );

function entryOf(calls: Call[]): Entry {
  const succeeded = calls.filter(({ outcome }) => outcome === "ok");
  const statuses = sorted(
    calls.flatMap(({ status }) => (status === undefined ? [] : [`${status}`])),
  );
  return {
    state: stateOf(succeeded.length > 0, statuses),
    options: sorted(succeeded.flatMap(({ options }) => options.map(snakeCase))),
    refusals: statuses,
  };
}

/** A method works when it has worked; one that only ever answered 501 is not built. */
function stateOf(hasWorked: boolean, statuses: string[]): string {
  if (hasWorked) return "works";
  if (statuses.length === 0) return "fails";
  const [only] = statuses;
  if (statuses.length === 1 && only === "501") return "not yet (501)";
  return `fails (${statuses.join(", ")})`;
}

const sorted = (names: string[]): string[] => [...new Set(names)].sort();

/** `Map.groupBy`, which Node 20 does not have. */
export function groupBy<T>(
  values: T[],
  keyOf: (value: T) => string,
): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const value of values) {
    const key = keyOf(value);
    groups.set(key, [...(groups.get(key) ?? []), value]);
  }
  return groups;
}
