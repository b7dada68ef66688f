import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Running, SPOOL, type Contender } from "./contender.ts";
import { Connections, load, type Latencies, type Request } from "./load.ts";

/** What the server does by itself, and the dev server does not. */
export interface BackgroundProfile {
  crons: CronProfile;
  expiry: ExpiryProfile;
}

interface CronProfile {
  crons: number;
  /** Seconds from the minute that all of them are due in until the last has fired. */
  firedSeconds: number;
  /** Until the last of their runs has ended. */
  endedSeconds: number;
  /** Runs that they have created: as many as there are crons. */
  runs: number;
}

interface ExpiryProfile {
  /** Threads that have expired; a tenth of them has a history. */
  threads: number;
  sweepSeconds: number;
  /** `GET /threads/{id}` while they are swept. Milliseconds. */
  getMeanwhile: Latencies;
  /** The same when they are gone. */
  getAfter: Latencies;
}

export async function backgroundProfileOf(
  sizes: { crons: number; threads: number },
  say: (line: string) => void,
): Promise<BackgroundProfile> {
  const crons = await measureCrons(sizes.crons, say);
  say(`${SPOOL.name} | ${JSON.stringify(crons)}`);
  const expiry = await measureExpiry(sizes.threads, say);
  say(`${SPOOL.name} | ${JSON.stringify(expiry)}`);
  return { crons, expiry };
}

/** To create them takes less than this. */
const CREATING_MS = 60_000;

async function measureCrons(
  crons: number,
  say: (line: string) => void,
): Promise<CronProfile> {
  const server = await Running.start(SPOOL);
  try {
    await using many = new Connections(server.url, 32);
    await using one = new Connections(server.url, 1);
    const minute = Math.ceil((Date.now() + CREATING_MS) / 60_000) * 60_000;
    const due = new Date(minute);
    say(`creating ${crons} crons that are due at ${due.toISOString()}`);
    const body = {
      assistant_id: "one-node",
      schedule: `${due.getUTCMinutes()} ${due.getUTCHours()} * * *`,
      on_run_completed: "keep", // so that each run leaves a thread to be counted
      input: {},
    };
    const create = () => post("/runs/crons", body);
    await load(many, create, { seconds: 600, count: crons });
    if (Date.now() > minute) throw new Error("it took longer to create them");
    const secondsUntil = async (isSo: () => Promise<boolean>) => {
      while (!(await isSo())) await sleep(100);
      return (Date.now() - minute) / 1000;
    };
    await sleep(minute - Date.now());
    const next = { sort_by: "next_run_date", sort_order: "asc", limit: 1 };
    const firedSeconds = await secondsUntil(async () => {
      const [first] = await one.json<{ next_run_date: string }[]>(
        post("/runs/crons/search", next),
      );
      return Date.parse(first?.next_run_date ?? "") > minute;
    });
    const count = (filter: object) =>
      one.json<number>(post("/threads/count", filter));
    const endedSeconds = await secondsUntil(
      async () => (await count({ status: "busy" })) === 0,
    );
    return { crons, firedSeconds, endedSeconds, runs: await count({}) };
  } finally {
    await server.stop();
  }
}

const WITH_SWEEPS: Contender = {
  ...SPOOL,
  argv: (port, project) =>
    SPOOL.argv(port, join(project, "langgraph.expiry.json")),
};

const STAYING = 1000;
const READERS = 4;

/** The sweep at the start of a server finds what the one before has left. */
async function measureExpiry(
  threads: number,
  say: (line: string) => void,
): Promise<ExpiryProfile> {
  const { server: first, staying } = await fill(threads, say);
  await first.stop({ keepProject: true });
  const server = await Running.startIn(first.project, WITH_SWEEPS);
  try {
    await using readers = new Connections(server.url, READERS);
    await using one = new Connections(server.url, 1);
    const next = (index: number): Request => ({
      method: "GET",
      path: `/threads/${staying[index % staying.length]}`,
    });
    const started = performance.now();
    const watch = async (): Promise<number> => {
      const left = async () => one.json<number>(post("/threads/count", {}));
      while ((await left()) > STAYING) await sleep(100);
      return (performance.now() - started) / 1000;
    };
    let isSwept = false;
    const swept = watch().finally(() => (isSwept = true));
    const getMeanwhile = await load(readers, next, {
      seconds: 3600,
      until: () => isSwept,
    });
    const sweepSeconds = await swept;
    const getAfter = await load(readers, next, { seconds: 4 });
    return { threads, sweepSeconds, getMeanwhile, getAfter };
  } finally {
    await server.stop();
  }
}

async function fill(threads: number, say: (line: string) => void) {
  const server = await Running.start(SPOOL);
  await using many = new Connections(server.url, 32);
  say(`creating ${threads} threads that expire`);
  const ttl = { ttl: 0.001, strategy: "delete" };
  const message = { role: "user", content: "x".repeat(200) };
  const supersteps = ["__start__", "answer", "__start__"].map((as_node) => ({
    updates: [{ as_node, values: { messages: [message] } }],
  }));
  const metadata = { team: "blue", graph_id: "chat" };
  const create = (index: number) =>
    post("/threads", {
      metadata,
      ttl,
      ...(index % 10 === 0 ? { supersteps } : {}),
    });
  await load(many, create, { seconds: 1200, count: threads });
  const staying: string[] = [];
  for (let index = 0; index < STAYING; index += 1) {
    const thread = await many.json<{ thread_id: string }>(
      post("/threads", { metadata }),
    );
    staying.push(thread.thread_id);
  }
  return { server, staying };
}

const post = (path: string, body: object): Request => ({
  method: "POST",
  path,
  body,
});
