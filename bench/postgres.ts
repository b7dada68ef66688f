/*
 * Spool on Postgres: what the database is asked, what distance costs, how long
 * a takeover takes, searches among a million threads. Writes
 * bench/results/<date>-<commit>-postgres.json and prints it. Started by
 * `npm run bench -- --postgres`.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { startCluster } from "./postgres/cluster.ts";
import {
  countStatements,
  measureInstances,
  measureLatency,
  measurePool,
  measureSearch,
} from "./postgres/figures.ts";
import { measureRecovery } from "./postgres/recovery.ts";

const { values: flags } = parseArgs({
  options: {
    postgres: { type: "boolean" },
    only: { type: "string", default: "" },
  },
});

const SECTIONS = {
  statements: countStatements,
  latency: measureLatency,
  pool: measurePool,
  instances: measureInstances,
  recovery: measureRecovery,
  search: measureSearch,
};

const cluster = await startCluster();
const results: Record<string, unknown> = {};
try {
  for (const [name, measure] of Object.entries(SECTIONS)) {
    if (!name.includes(flags.only)) continue;
    results[name] = await measure(cluster);
    console.log(`${name} | ${JSON.stringify(results[name])}`);
  }
} finally {
  await cluster.remove();
}
const git = (...args: string[]): string =>
  execFileSync("git", args, { encoding: "utf8" }).trim();
const name = `bench/results/${new Date().toISOString().slice(0, 10)}-${git("rev-parse", "--short", "HEAD")}-postgres.json`;
mkdirSync("bench/results", { recursive: true });
writeFileSync(name, `${JSON.stringify(results, null, 2)}\n`);
console.log(`\nWritten: ${name}`);
