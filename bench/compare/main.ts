/*
 * Spool beside the official in-memory dev server and beside the bare graph, in
 * one run: the same requests, each case on a fresh store, warm-up first. Writes
 * bench/results/<date>-<commit>.{md,json}. Started by `npm run bench`.
 */
import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { parseArgs } from "node:util";
import { backgroundProfileOf } from "./background.ts";
import { CASES, crowd, type Case } from "./cases.ts";
import { PEER, Running, SPOOL, type Contender } from "./contender.ts";
import { Connections, load, type Latencies } from "./load.ts";
import { treeUsage, usageOf } from "./process-usage.ts";
import { protocolProfileOf, type ProtocolProfile } from "./protocol.ts";
import { profileOf, type Profile } from "./profile.ts";
import { writeReport } from "./report.ts";
import type { Measured, Results } from "./results.ts";
import { searchProfileOf } from "./search.ts";
import { streamProfileOf, type StreamProfile } from "./streams.ts";

const { values: flags } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    seconds: { type: "string", default: "4" },
    "warm-up": { type: "string", default: "2" },
    threads: { type: "string", default: "100000" },
    concurrency: { type: "string", default: "1,32" },
    "no-peer": { type: "boolean", default: false },
    "no-profile": { type: "boolean", default: false },
    "no-streams": { type: "boolean", default: false },
    "no-protocol": { type: "boolean", default: false },
    "no-search": { type: "boolean", default: false },
    items: { type: "string", default: "100000" },
    "no-background": { type: "boolean", default: false },
    crons: { type: "string", default: "10000" },
    expired: { type: "string", default: "100000" },
  },
});

const SECONDS = Number(flags.seconds);
const WARM_UP = Number(flags["warm-up"]);
const CROWD = Number(flags.threads);
const CONCURRENCY = flags.concurrency.split(",").map(Number);

const results: Results = {};

async function measureCase(
  server: Running,
  { name, prepare }: Case,
  contender: Contender,
): Promise<void> {
  await using single = new Connections(server.url, 1);
  const next = await prepare(single);
  {
    // Many at once, so that there is enough work for the compiler to have done its part.
    await using connections = new Connections(server.url, 32);
    await load(connections, next, { seconds: WARM_UP });
  }
  for (const concurrency of CONCURRENCY) {
    await using connections = new Connections(server.url, concurrency);
    const tree = treeUsage(server.pid);
    const own = usageOf(server.pid);
    const latencies = await load(connections, next, { seconds: SECONDS });
    const perOp = (from: number, to: number): number =>
      ((to - from) * 1000) / latencies.count;
    const measured: Measured = {
      ...latencies,
      cpuMs: perOp(tree.cpuSeconds, treeUsage(server.pid).cpuSeconds),
      serverCpuMs: perOp(own.cpuSeconds, usageOf(server.pid).cpuSeconds),
    };
    ((results[name] ??= {})[contender.name] ??= {})[concurrency] = measured;
    say(
      `${name} | ${contender.name} | c=${concurrency} | ${measured.perSecond.toFixed(1)}/s | p50 ${measured.p50.toFixed(2)} ms | p99 ${measured.p99.toFixed(2)} ms | cpu ${measured.cpuMs.toFixed(2)} ms, server ${measured.serverCpuMs.toFixed(2)}`,
    );
  }
}

async function measureFresh(
  contender: Contender,
  cases: Case[],
): Promise<void> {
  for (const each of cases) {
    const server = await Running.start(contender);
    try {
      await measureCase(server, each, contender);
    } catch (error) {
      say(`${each.name} | ${contender.name} | ${String(error)}`);
    } finally {
      await server.stop();
    }
  }
}

/** Filling the store takes long, so these cases share it; the ones that add to it come last. */
async function measureCrowded(
  contender: Contender,
  cases: Case[],
): Promise<void> {
  if (cases.length === 0) return;
  const server = await Running.start(contender);
  try {
    await using connections = new Connections(server.url, 32);
    say(`filling ${contender.name} with ${CROWD} threads`);
    await load(connections, crowd, { seconds: 600, count: CROWD });
    for (const each of cases) await measureCase(server, each, contender);
  } finally {
    await server.stop();
  }
}

function measureBare(): void {
  const output = execFileSync(
    process.execPath,
    [
      ...["--import", "@oxc-node/core/register", "bench/compare/bare.ts"],
      ...["bench/project", String(SECONDS), String(WARM_UP)],
    ],
    { encoding: "utf8" },
  );
  const latencies = JSON.parse(output) as Record<string, Latencies>;
  for (const [concurrency, figures] of Object.entries(latencies)) {
    ((results["runs/wait, fresh threads"] ??= {})["bare graph.invoke"] ??= {})[
      concurrency
    ] = { ...figures, cpuMs: 1000 / figures.perSecond, serverCpuMs: 0 };
    say(
      `bare graph.invoke | c=${concurrency} | ${figures.perSecond.toFixed(1)}/s | p50 ${figures.p50.toFixed(2)} ms`,
    );
  }
}

const say = (line: string): void => console.log(line);

const chosen = CASES.filter(({ name }) =>
  flags.only.split("|").some((part) => name.includes(part)),
);
const contenders = flags["no-peer"] ? [SPOOL] : [SPOOL, PEER];
if (chosen.some(({ name }) => name.startsWith("runs/"))) measureBare();
// Case by case, so that what else the machine does falls on both alike.
for (const each of chosen.filter(({ isCrowded }) => !isCrowded))
  for (const contender of contenders) await measureFresh(contender, [each]);
for (const contender of contenders)
  await measureCrowded(
    contender,
    chosen.filter(({ isCrowded }) => isCrowded),
  );
const profiles: Record<string, Profile> = {};
if (!flags["no-profile"])
  for (const contender of contenders)
    profiles[contender.name] = await profileOf(contender, say);
const streams: Record<string, StreamProfile> = {};
if (!flags["no-streams"])
  for (const contender of contenders)
    streams[contender.name] = await streamProfileOf(
      contender,
      { seconds: SECONDS, warmUp: WARM_UP },
      say,
    );
const protocol: Record<string, ProtocolProfile> = {};
if (!flags["no-protocol"])
  for (const contender of contenders)
    protocol[contender.name] = await protocolProfileOf(
      contender,
      { seconds: SECONDS, warmUp: WARM_UP },
      say,
    );
const search = flags["no-search"]
  ? null
  : await searchProfileOf(
      { items: Number(flags.items), seconds: SECONDS },
      say,
    );
const background = flags["no-background"]
  ? null
  : await backgroundProfileOf(
      { crons: Number(flags.crons), threads: Number(flags.expired) },
      say,
    );
const files = writeReport({
  results,
  profiles,
  streams,
  protocol,
  search,
  background,
  contenders,
  cases: chosen,
  settings: { seconds: SECONDS, warmUp: WARM_UP, crowd: CROWD },
});
say(`\nWritten: ${files.join(", ")}`);
rmSync("bench/project/.spool", { recursive: true, force: true });
