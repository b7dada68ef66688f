/** docs/configuration.md and the code, in both directions. */
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { describe, expect, onTestFinished, test } from "vitest";
import { addServerOptions } from "../../src/cli/server-options.ts";
import type { Config } from "../../src/config/config.ts";
import { KNOWN_KEYS, keyWarnings } from "../../src/config/known-keys.ts";
import { readProject, type Project } from "../../src/config/langgraph-json.ts";
import { NO_STORE_TTL } from "../../src/model/store-item.ts";
import { THREAD_SWEEP } from "../../src/model/thread.ts";
import { resolveConfig } from "../../src/config/resolve-config.ts";
import { NO_WEBHOOKS } from "../../src/config/webhooks.ts";
import { codes, rows, section } from "../support/guide-tables.ts";
import { makeProject } from "../support/snippet-session.ts";
import { readPage, ROOT } from "../support/snippets.ts";

const PAGE = "docs/configuration.md";
const namesIn = (heading: string): string[] =>
  rows(section(PAGE, heading)).flatMap(([names = ""]) => codes(names));

describe("flags", () => {
  const { options } = addServerOptions(new Command());
  /** Commander's own, and those of the program (src/cli/index.ts). */
  const general = ["--help", "-h", "--version", "-v"];

  test("all of them are on the page, and no others", () => {
    const known = options.flatMap(({ long, short }) => [long, short]);
    const expected = [...known.filter((name) => name != null), ...general];
    expect(namesIn("Flags").sort()).toEqual(expected.sort());
  });

  test.each(rows(section(PAGE, "Flags")).filter(([, standard]) => standard))(
    "%s has the default of the page",
    (names, standard = "") => {
      const option = options.find(({ long }) => long === codes(names ?? "")[0]);
      const told = /\(default: ([^)]*)\)/.exec(option?.description ?? "")?.[1];
      expect(told?.replace(/, or \$.*/, "")).toBe(standard);
    },
  );
});

describe("variables", () => {
  const VARIABLES = "Environment variables";

  test("all that the code reads are on the page, and no others", () => {
    expect(namesIn(VARIABLES).sort()).toEqual(variablesInCode());
  });

  const withDefaults = rows(section(PAGE, VARIABLES))
    .map(
      ([names = "", standard = ""]) =>
        [codes(names)[0] ?? "", standard] as const,
    )
    .filter(([, standard]) => standard !== "" && !standard.includes(" "));

  const otherWords: Record<string, string> = {
    LOG_LEVEL: "debug",
    CRON_MISSED_TICKS: "skip",
    POSTGRES_PREPARE: "false",
  };

  /** Some make a difference only where there is a Postgres. */
  const rest = { POSTGRES_URI: "postgres://spool@localhost/spool" };

  /** Not in the Config: the worker reads it. */
  const ofWorker = ["LANGGRAPH_SCHEMA_RESOLVE_TIMEOUT_MS"];

  test.each(withDefaults.filter(([name]) => !ofWorker.includes(name)))(
    "without %s it is as with %s",
    (name, standard) => {
      expect(configWith({ ...rest, [name]: standard })).toEqual(
        configWith(rest),
      );
      // Another value makes a difference, so the name is read and the default is compared with something.
      const other = /^\d+$/.test(standard)
        ? "77"
        : (otherWords[name] ?? "true");
      expect(configWith({ ...rest, [name]: other })).not.toEqual(
        configWith(rest),
      );
    },
  );
});

describe("keys of langgraph.json", () => {
  const read = namesIn("Keys that are read");
  const ignored = codes(section(PAGE, "Keys that need nothing done"));
  const [notServed = "", protective = ""] = section(
    PAGE,
    "Keys that are not served yet",
  )
    .trim()
    .split("\n\n");
  const sections = ["checkpointer", "store", "http", "webhooks"];

  test("all that the code knows are on the page, and no others", () => {
    const top = read.map((key) => key.split(".")[0] ?? "");
    const onPage = [
      ...top,
      ...ignored,
      ...codes(notServed),
      "auth",
      "encryption",
    ];
    expect([...new Set(onPage)].sort()).toEqual([...KNOWN_KEYS].sort());
    expect(codes(protective)).toEqual(
      expect.arrayContaining(["auth", "encryption"]),
    );
  });

  test("all parts of sections that the code reads are on the page, and no others", () => {
    const parts = read.filter((key) => key.includes("."));
    expect(parts.map((key) => key.split(".").at(-1)).sort()).toEqual(
      partsInCode(),
    );
    expect([...new Set(parts.map((key) => key.split(".")[0]))].sort()).toEqual(
      [...sections].sort(),
    );
  });

  test.each(read)("%s gets no warning", (key) => {
    const [top = "", part] = key.split(".");
    const value = part === undefined ? {} : { [part]: {} };
    expect(keyWarnings({ [top]: value }, "langgraph.json")).toEqual([]);
  });

  test.each(ignored)("%s is ignored without a warning", (key) => {
    expect(keyWarnings({ [key]: {} }, "langgraph.json")).toEqual([]);
  });

  test.each(codes(notServed).filter((key) => !sections.includes(key)))(
    "%s gets a warning",
    (key) => {
      expect(keyWarnings({ [key]: {} }, "langgraph.json")).toEqual([
        expect.stringContaining("is not served by this version"),
      ]);
    },
  );

  test.each(sections)("what is unknown in %s gets a warning", (key) => {
    expect(keyWarnings({ [key]: { other: 1 } }, "langgraph.json")).toHaveLength(
      1,
    );
  });

  test("the example on the page is read without a warning", () => {
    const folder = makeProject(readPage(PAGE).files);
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    mkdirSync(join(folder, "src"));
    for (const name of ["agent", "helper"])
      writeFileSync(join(folder, `src/${name}.ts`), "");
    const project = readProject(join(folder, "langgraph.json"));
    expect(project.warnings).toEqual([]);
    expect(project).toMatchObject({
      ttl: { ttl_minutes: 43200 },
      storeTtl: { default_minutes: 43200 },
      storeIndex: { dims: 1536 },
    });
  });
});

/** Without what shows the variable itself, and not its effect. */
function configWith(env: Record<string, string>): Omit<Config, "workerEnv"> {
  const { config } = resolveConfig({
    mode: "dev",
    flags: { reload: true },
    machine: { env, cores: 4, nodeMajor: 20, isTerminal: false },
    project: PROJECT,
    variables: {},
  });
  const { workerEnv: _, ...rest } = config;
  return { ...rest, port: { ...rest.port, explicit: false } };
}

const PROJECT: Project = {
  ...{ configPath: "/p/langgraph.json", root: "/p", graphs: [] },
  ...{ env: { kind: "none" }, cors: null, ttl: null, nodeVersion: null },
  storeIndex: null,
  storeTtl: NO_STORE_TTL,
  threadSweep: THREAD_SWEEP,
  ...{ disabledRoutes: [], webhooks: NO_WEBHOOKS },
  ...{ protective: [], warnings: [], configurableHeaders: null },
};

/** Their names are literals wherever they are read: `env["NAME"]`, `integer("NAME", …)` or a list of names. */
function variablesInCode(): string[] {
  const sources = ["config", "cli", "worker"].flatMap((folder) =>
    sourcesOf(`src/${folder}`),
  );
  const found = sources.flatMap((text) => [
    ...text.matchAll(
      /[eE]nv\["([A-Z0-9_]+)"\]|\binteger\(\s*"([A-Z0-9_]+)"|^\s*"([A-Z0-9]+(?:_[A-Z0-9]+)+)",$/gm,
    ),
  ]);
  const names = new Set(found.map(([, a, b, c]) => a ?? b ?? c ?? ""));
  // The server tells its workers by it; it is nobody else's to set.
  names.delete("SPOOL_CACHE_DIR");
  return [...names].sort();
}

/** The fields that the code reads, each once per section. `url` is one for others to be in. */
function partsInCode(): string[] {
  const files = ["sections", "store-index", "thread-sweep", "webhooks"].map(
    (name) => `src/config/${name}.ts`,
  );
  const found = files.flatMap((file) => [
    ...readFileSync(join(ROOT, file), "utf8").matchAll(
      /\b(?:text|texts|amount|flag|integer|ports|part)\((?:\w+, )?"(\w+)"[,)]|section\.values\["(\w+)"\]/g,
    ),
  ]);
  const names = found.map(([, a, b]) => a ?? b ?? "");
  return names.filter((name) => name !== "url").sort();
}

const sourcesOf = (folder: string): string[] =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"))
    .map((name) => readFileSync(join(ROOT, folder, name), "utf8"));
