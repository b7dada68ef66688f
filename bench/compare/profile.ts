import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { RUN_INPUT, waitOnFreshThread } from "./cases.ts";
import { Running, SPOOL, type Contender } from "./contender.ts";
import { Connections, load, type Latencies, type Request } from "./load.ts";
import { treeUsage, usageOf } from "./process-usage.ts";

/** What is measured once per server, not per request. */
export interface Profile {
  /** From the start of the process to the first answer of `/ok`, milliseconds; the median of several starts. */
  startMs: number;
  /** From the start of the process to the answer of a first run, milliseconds. */
  firstRunMs: number;
  /** Resident memory at rest, MB: the process that answers, and with its workers. */
  idleServerMb: number;
  idleTreeMb: number;
  /** `GET /threads/{id}` while a graph blocks its CPU. Null: not one was answered. */
  whileBlocked: Latencies | null;
  longThread: LongThread | null;
}

export interface LongThread {
  turns: number;
  /** MB of the data directory that the thread has added. */
  diskMb: number;
  /** KB that the kernel was given to write during a turn, the mean of the first and of the last ten. */
  firstTurnsKb: number;
  lastTurnsKb: number;
  /** Median of 20 `GET /threads/{id}/state` at the end, milliseconds. */
  stateGetMs: number;
  /** `runs/wait` of the first and of the last ten turns, median milliseconds. */
  firstTurnsMs: number;
  lastTurnsMs: number;
}

const STARTS = 5;
const REST_MS = 5_000;
const BLOCK_MS = 5_000;
const TURNS = 1_000;

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

export async function profileOf(
  contender: Contender,
  say: (line: string) => void,
): Promise<Profile> {
  const starts: number[] = [];
  const firstRuns: number[] = [];
  for (let index = 0; index < STARTS; index += 1) {
    const server = await Running.start(contender);
    starts.push(server.startMs);
    await using connections = new Connections(server.url, 1);
    const askedAt = performance.now();
    await firstRun(connections);
    firstRuns.push(server.startMs + performance.now() - askedAt);
    await server.stop();
  }
  const server = await Running.start(contender);
  await sleep(REST_MS);
  const idle = {
    idleServerMb: usageOf(server.pid).rssMb,
    idleTreeMb: treeUsage(server.pid).rssMb,
  };
  const whileBlocked = await measureWhileBlocked(server).catch(() => null);
  await server.stop();
  const profile = {
    startMs: median(starts),
    firstRunMs: median(firstRuns),
    ...idle,
    whileBlocked,
    longThread: contender === SPOOL ? await measureLongThread() : null,
  };
  say(`${contender.name} | ${JSON.stringify(profile)}`);
  return profile;
}

/** A server that has no worker yet may refuse the first ones. */
async function firstRun(connections: Connections): Promise<void> {
  for (;;)
    try {
      await connections.json(waitOnFreshThread());
      return;
    } catch {
      await sleep(20);
    }
}

const start = (
  id: string,
  kind: "wait" | "",
  graph: string,
  input: object,
): Request => ({
  method: "POST",
  path: `/threads/${id}/runs${kind && `/${kind}`}`,
  body: { assistant_id: graph, input },
});

async function newThread(connections: Connections): Promise<string> {
  const { thread_id } = await connections.json<{ thread_id: string }>({
    method: "POST",
    path: "/threads",
    body: {},
  });
  return thread_id;
}

async function measureWhileBlocked(server: Running): Promise<Latencies> {
  await using connections = new Connections(server.url, 1);
  const [read, busy] = [
    await newThread(connections),
    await newThread(connections),
  ];
  await connections.json(start(busy, "wait", "one-node", RUN_INPUT));
  await connections.json(start(busy, "", "blocks", { count: BLOCK_MS }));
  await sleep(300);
  return await load(
    connections,
    () => ({ method: "GET", path: `/threads/${read}` }),
    {
      seconds: (BLOCK_MS - 1_000) / 1000,
    },
  );
}

export async function measureLongThread(): Promise<LongThread> {
  const server = await Running.start(SPOOL);
  try {
    await using connections = new Connections(server.url, 1);
    await firstRun(connections);
    const id = await newThread(connections);
    const before = diskMb(server);
    const turns: { kb: number; ms: number }[] = [];
    for (let turn = 0; turn < TURNS; turn += 1) {
      const written = writtenKb(server.pid);
      const sentAt = performance.now();
      await connections.send(
        0,
        start(id, "wait", "chat", {
          messages: [{ role: "user", content: `${turn} `.padEnd(1024, "x") }],
        }),
      );
      turns.push({
        ms: performance.now() - sentAt,
        kb: writtenKb(server.pid) - written,
      });
    }
    const state = await load(
      connections,
      () => ({ method: "GET", path: `/threads/${id}/state` }),
      { seconds: 60, count: 20 },
    );
    const [first, last] = [turns.slice(0, 10), turns.slice(-10)];
    // All of the log goes into the one file at a clean stop: what is left is the data.
    await server.stop({ keepProject: true });
    return {
      turns: TURNS,
      diskMb: diskMb(server) - before,
      firstTurnsKb: mean(first.map(({ kb }) => kb)),
      lastTurnsKb: mean(last.map(({ kb }) => kb)),
      stateGetMs: state.p50,
      firstTurnsMs: median(first.map(({ ms }) => ms)),
      lastTurnsMs: median(last.map(({ ms }) => ms)),
    };
  } finally {
    await server.stop().catch(() => {});
  }
}

/** What the server process has given the kernel to write to files: SQLite's log, and its checkpoints. */
function writtenKb(pid: number): number {
  const io = readFileSync(`/proc/${pid}/io`, "utf8");
  return Number(/^write_bytes: (\d+)/m.exec(io)?.[1] ?? 0) / 1024;
}

function diskMb(server: Running): number {
  const directory = join(server.project, ".spool");
  return (
    readdirSync(directory)
      .map((file) => statSync(join(directory, file)).size)
      .reduce((sum, size) => sum + size, 0) /
    1024 ** 2
  );
}

const mean = (values: number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

const median = (values: number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
