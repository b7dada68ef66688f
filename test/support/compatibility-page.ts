/*
 * docs/compatibility.md as data. The page is written from the records of the
 * client tests (`npm run compatibility`) and read back by those tests, so that
 * it cannot say what they no longer show.
 */
import { deepStrictEqual } from "node:assert";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import {
  CLIENTS,
  columnOf,
  groupBy,
  readRecord,
  ROOT,
  rowOf,
  type ClientName,
  type Column,
  type Entry,
} from "./compatibility-record.ts";

export { recordFile } from "./compatibility-record.ts";

export const PAGE = join(ROOT, "docs/compatibility.md");

const NAMES = Object.keys(CLIENTS) as ClientName[];
const NO_METHOD = "no such method";
/** Nothing is known, and nothing is claimed. */
const NOT_TESTED = "–";
/** Spelled differently by each language, so that a method which is not in a record may be there by another name. */
const BY_OTHER_NAMES = "RemoteGraph";

const HEADER = `# Compatibility

What the LangGraph clients can do with this version of Spool, method by method. Nobody wrote this page: \`npm run compatibility\`
runs the tests in \`test/e2e/clients/\`, in which every client drives the built program over a socket, and writes down what they
called. The same tests fail when the page says anything else than what they showed.

- **works**: was called and gave what it should; the options are those that were used in calls that succeeded.
- **not yet (501)**: the server answers \`501\` with a sentence that says so.
- **no such method**: this client does not have it. A dash: no test drives this part with this client.
- **refusals** are the statuses that were provoked on purpose, as the client reports them.

A name in brackets limits what stands before it to these clients. Methods are spelled as in JavaScript, options as on the wire:
in Python, \`getState\` is \`get_state\`; in JavaScript, \`if_exists\` is \`ifExists\`. \`stateless\` stands for a run without a thread.
In the store, \`index\` and \`query\` need a \`store.index\` in langgraph.json; without one they have no effect. \`feedback_keys\` and the
tracers of LangSmith need a key for it.`;

/**
 * Throws unless docs/compatibility.md says of the client exactly what its
 * record says. Call it last, when all calls are in `recordFile(client)`.
 * While `npm run compatibility` writes the page (`COMPATIBILITY=write`) there is
 * nothing to compare yet.
 */
export function assertPageAgrees(client: string): void {
  if (process.env["COMPATIBILITY"] === "write") return;
  const stale = "docs/compatibility.md is stale: npm run compatibility";
  deepStrictEqual(
    readColumn(client),
    columnOf(readRecord(client) ?? []),
    stale,
  );
}

/** A client whose tests could not run here keeps what the page says of it. */
export function renderPage(): string {
  const columns = NAMES.map((client) => {
    const record = readRecord(client);
    return record ? columnOf(record) : readColumn(client);
  });
  const methods = [
    ...new Set(columns.flatMap((column) => [...column.keys()])),
  ].sort((a, b) => placeOf(a) - placeOf(b) || (a < b ? -1 : 1));
  const resources = groupBy(methods, resourceOf);
  const sections = [...resources].map(([resource, rows]) =>
    renderTable(resource, rows, columns),
  );
  return `${[HEADER, ...sections].join("\n\n")}\n`;
}

function renderTable(
  resource: string,
  methods: string[],
  columns: Column[],
): string {
  const isKnown = columns.map(
    (column) =>
      resource !== BY_OTHER_NAMES &&
      [...column.keys()].some((method) => resourceOf(method) === resource),
  );
  const rows = methods.map((method) => {
    const entries = columns.map((column) => column.get(method));
    const states = entries.map(
      (entry, i) => entry?.state ?? (isKnown[i] ? NO_METHOD : NOT_TESTED),
    );
    const all = (part: "options" | "refusals") => renderShared(entries, part);
    return row([
      `\`${nameOf(method)}\``,
      ...states,
      all("options"),
      all("refusals"),
    ]);
  });
  const head = ["method", ...Object.values(CLIENTS), "options", "refusals"];
  return [
    `## ${resource}`,
    "",
    row(head),
    row(head.map(() => "---")),
    ...rows,
  ].join("\n");
}

const row = (cells: string[]): string => `| ${cells.join(" | ")} |`;

/** A value that only some of the clients have shown names them: `` `include` (JS 1.15.0) ``. */
function renderShared(
  entries: (Entry | undefined)[],
  part: "options" | "refusals",
): string {
  const present = NAMES.filter((_, i) => entries[i]);
  const has = (client: ClientName, value: string) =>
    entries[NAMES.indexOf(client)]?.[part].includes(value) ?? false;
  const values = new Set(entries.flatMap((entry) => entry?.[part] ?? []));
  return [...values]
    .sort()
    .map((value) => {
      const having = present.filter((client) => has(client, value));
      if (having.length === present.length) return `\`${value}\``;
      const names = having.map((client) => CLIENTS[client]);
      return `\`${value}\` (${names.join(", ")})`;
    })
    .join(" · ");
}

/** What the page says of a client. */
function readColumn(client: string): Column {
  const column: Column = new Map();
  if (!existsSync(PAGE)) return column;
  const index = NAMES.indexOf(client as ClientName);
  let resource = "";
  for (const line of readFileSync(PAGE, "utf8").split("\n")) {
    if (line.startsWith("## ")) resource = line.slice(3);
    const cells = line.split("|").map((cell) => cell.trim());
    const method = /^`(.+)`$/.exec(cells[1] ?? "")?.[1];
    const state = cells[index + 2];
    if (!method || !state || state === NO_METHOD || state === NOT_TESTED)
      continue;
    const [options = "", refusals = ""] = cells.slice(NAMES.length + 2);
    column.set(rowOf(`${resource}.${method}`), {
      state,
      options: readShared(options, client as ClientName),
      refusals: readShared(refusals, client as ClientName),
    });
  }
  return column;
}

const readShared = (cell: string, client: ClientName): string[] =>
  [...cell.matchAll(/`([^`]+)`(?: \(([^)]+)\))?/g)]
    .filter(
      ([, , names]) => names?.split(", ").includes(CLIENTS[client]) ?? true,
    )
    .map(([, value]) => value ?? "");

const RESOURCES = ["assistants", "threads", "runs", "store", "crons", "~ui"];

/** What is none of the client's resources comes after them. */
function placeOf(method: string): number {
  const place = RESOURCES.indexOf(resourceOf(method));
  return place === -1 ? RESOURCES.length : place;
}

const resourceOf = (method: string): string => method.split(".")[0] ?? "";

/** Spelled as in JavaScript. */
const nameOf = (method: string): string =>
  (method.split(".")[1] ?? "").replaceAll(/_([a-z])/g, (_, letter: string) =>
    letter.toUpperCase(),
  );
