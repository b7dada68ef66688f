import { randomUUID } from "node:crypto";
import { Agent } from "undici";
import { Running, type Contender } from "./contender.ts";
import { summary } from "./load.ts";
import type { StreamSettings } from "./streams.ts";

/** The streaming protocol: `run.start`, then events of the thread over SSE. Null: it did not get to an end. */
export interface ProtocolProfile {
  /** Milliseconds from the command to the first event, one after the other. */
  firstEventP50: number | null;
  /** Events that reach observers: `THREADS` threads at once, each with `OBSERVERS`. */
  observedPerSecond: number | null;
  /** Of those observers, how many saw all chunks and the end, in percent. */
  completePercent: number | null;
  /** Events per second to a new subscriber of a thread that has had `REPLAYED`. */
  replayPerSecond: number | null;
}

const CHUNKS = 100;
export const THREADS = 64;
export const OBSERVERS = 2;
export const REPLAYED = 10_000;

/** Of those, what a run has beside its chunks. */
const AROUND = 50;

/** An observer that sees nothing more for so long has missed the end. */
const PATIENCE_MS = 15_000;

const CHANNELS = ["custom", "lifecycle", "values", "updates", "messages"];

export async function protocolProfileOf(
  contender: Contender,
  { seconds, warmUp }: StreamSettings,
  say: (line: string) => void,
): Promise<ProtocolProfile> {
  const fresh = async <T>(
    measure: (server: Running) => Promise<T>,
  ): Promise<T | null> => {
    const server = await Running.start(contender);
    try {
      return await measure(server);
    } catch (cause) {
      say(`${contender.name} | ${String(cause)}`);
      return null;
    } finally {
      await server.stop();
    }
  };
  const single = await fresh(async (server) => {
    await observe(server, { threads: 1, observers: 1, seconds: warmUp });
    return observe(server, { threads: 1, observers: 1, seconds });
  });
  const crowd = { threads: THREADS, observers: OBSERVERS };
  const many = await fresh(async (server) => {
    await observe(server, { ...crowd, seconds: warmUp });
    return observe(server, { ...crowd, seconds });
  });
  const profile = {
    firstEventP50: single?.firstP50 ?? null,
    observedPerSecond: many?.eventsPerSecond ?? null,
    completePercent: many?.completePercent ?? null,
    replayPerSecond: await fresh(measureReplay),
  };
  say(`${contender.name} | ${JSON.stringify(profile)}`);
  return profile;
}

interface Observed {
  firstP50: number;
  eventsPerSecond: number;
  completePercent: number;
}

/** Closed loop: each run, on a thread of its own, is followed by the next. */
async function observe(
  { url }: Running,
  params: { threads: number; observers: number; seconds: number },
): Promise<Observed> {
  const { threads, observers, seconds } = params;
  await using agent = agentOf();
  const firsts: number[] = [];
  const seen: Seen[] = [];
  const startedAt = performance.now();
  const endsAt = startedAt + seconds * 1000;
  const client = async (): Promise<void> => {
    while (performance.now() < endsAt) {
      const sentAt = performance.now();
      const thread = await start(agent, url, CHUNKS);
      const onFirst = () => firsts.push(performance.now() - sentAt);
      const readers = Array.from({ length: observers }, () =>
        read(agent, url, thread, onFirst),
      );
      seen.push(...(await Promise.all(readers)));
    }
  };
  await Promise.all(Array.from({ length: threads }, client));
  const took = (performance.now() - startedAt) / 1000;
  const events = seen.reduce((sum, { count }) => sum + count, 0);
  const whole = seen.filter(
    ({ chunks, hasEnd }) => chunks === CHUNKS && hasEnd,
  );
  return {
    firstP50: summary(firsts, took).p50,
    eventsPerSecond: events / took,
    completePercent: (whole.length / seen.length) * 100,
  };
}

async function measureReplay({ url }: Running): Promise<number> {
  await using agent = agentOf();
  const thread = await start(agent, url, REPLAYED - AROUND);
  await read(agent, url, thread, () => {});
  const rates: number[] = [];
  for (let time = 0; time < 5; time += 1) {
    const startedAt = performance.now();
    const { count } = await read(agent, url, thread, () => {});
    rates.push((count * 1000) / (performance.now() - startedAt));
  }
  return rates.sort((a, b) => a - b)[2] ?? 0; // the first is the compiler's
}

const agentOf = () => {
  const agent = new Agent({ connections: null, bodyTimeout: 0 });
  return Object.assign(agent, {
    [Symbol.asyncDispose]: () => agent.destroy(),
  });
};

async function start(
  agent: Agent,
  origin: string,
  count: number,
): Promise<string> {
  const thread = randomUUID();
  const { body } = await agent.request({
    origin,
    method: "POST",
    path: `/threads/${thread}/commands`,
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      id: 1,
      method: "run.start",
      params: { assistant_id: "chunks", input: { count } },
    }),
  });
  const answer = (await body.json()) as { type: string };
  if (answer.type !== "success") throw new Error(JSON.stringify(answer));
  return thread;
}

interface Seen {
  count: number;
  chunks: number;
  hasEnd: boolean;
}

/** Reads to the end of the run, and leaves. */
async function read(
  agent: Agent,
  origin: string,
  thread: string,
  onFirst: () => void,
): Promise<Seen> {
  const gone = new AbortController();
  const seen: Seen = { count: 0, chunks: 0, hasEnd: false };
  const { body } = await agent.request({
    origin,
    method: "POST",
    path: `/threads/${thread}/stream/events`,
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ channels: CHANNELS }),
    signal: gone.signal,
  });
  const patience = setTimeout(() => gone.abort(), PATIENCE_MS);
  let rest = "";
  try {
    for await (const piece of body as AsyncIterable<Buffer>) {
      patience.refresh();
      const lines = (rest + piece.toString()).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        if (!line.startsWith("data: ")) continue;
        if (seen.count === 0) onFirst();
        seen.count += 1;
        if (line.includes('"method":"custom"')) seen.chunks += 1;
        seen.hasEnd ||= isEnd(line);
      }
      if (seen.hasEnd) break;
    }
  } catch {
    // What it has seen until then tells.
  } finally {
    clearTimeout(patience);
    gone.abort();
  }
  return seen;
}

function isEnd(line: string): boolean {
  if (!line.includes('"method":"lifecycle"')) return false;
  const { params } = JSON.parse(line.slice("data: ".length)) as {
    params: { namespace: string[]; data: { event: string } };
  };
  return params.namespace.length === 0 && params.data.event === "completed";
}
