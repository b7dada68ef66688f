import { randomUUID } from "node:crypto";
import { Agent } from "undici";
import { RUN_INPUT, waitOnFreshThread } from "./cases.ts";
import { Running, type Contender } from "./contender.ts";
import { Connections, load, summary, type Latencies } from "./load.ts";
import { usageOf } from "./process-usage.ts";

/** How runs are queued and streamed. Milliseconds. Null: it did not get to an end. */
export interface StreamProfile {
  /** From the request to the first line of the first node. */
  queueP50: number | null;
  /** By streams at once. */
  streams: Record<number, StreamFigures | null>;
  /** MB that `IDLE_STREAMS` with nothing to tell add to the server process. */
  idleStreamsMb: number | null;
  /** `queueP50` while one thread has `QUEUED_RUNS`, beside it without them: how much longer, in percent. */
  besideQueuedPercent: number | null;
}

export interface StreamFigures {
  firstTokenP50: number;
  firstTokenP99: number;
  chunksPerSecond: number;
}

const CHUNKS = 100;
export const STREAMS_AT_ONCE = [1, 64];
export const IDLE_STREAMS = 2_000;
export const QUEUED_RUNS = 5_000;
const SLEEP_MS = 120_000;

export interface StreamSettings {
  seconds: number;
  warmUp: number;
}

export async function streamProfileOf(
  contender: Contender,
  { seconds, warmUp }: StreamSettings,
  say: (line: string) => void,
): Promise<StreamProfile> {
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
  const streams: StreamProfile["streams"] = {};
  for (const atOnce of STREAMS_AT_ONCE)
    streams[atOnce] = await fresh(async (server) => {
      await measureStreams(server, atOnce, warmUp);
      return measureStreams(server, atOnce, seconds);
    });
  const profile = {
    queueP50: await fresh(async (server) => {
      await measureQueue(server, warmUp);
      return (await measureQueue(server, seconds)).p50;
    }),
    streams,
    idleStreamsMb: await fresh(measureIdleStreams),
    besideQueuedPercent: await fresh((server) =>
      measureBesideQueued(server, { seconds, warmUp }),
    ),
  };
  say(`${contender.name} | ${JSON.stringify(profile)}`);
  return profile;
}

/** The clock of the node and ours are the machine's. */
async function measureQueue(
  server: Running,
  seconds: number,
): Promise<Latencies> {
  await using connections = new Connections(server.url, 1);
  const latencies: number[] = [];
  const endsAt = performance.now() + seconds * 1000;
  while (performance.now() < endsAt) {
    const sentAt = performance.timeOrigin + performance.now();
    const { startedAt } = await connections.json<{ startedAt: number }>({
      method: "POST",
      path: `/threads/${randomUUID()}/runs/wait`,
      body: { assistant_id: "clock", input: {}, if_not_exists: "create" },
    });
    latencies.push(startedAt - sentAt);
  }
  return summary(latencies, seconds);
}

/** Closed loop: each stream is followed by the next. */
async function measureStreams(
  server: Running,
  atOnce: number,
  seconds: number,
): Promise<StreamFigures> {
  const agent = new Agent({ connections: atOnce, bodyTimeout: 0 });
  const firsts: number[] = [];
  let chunks = 0;
  const startedAt = performance.now();
  const endsAt = startedAt + seconds * 1000;
  const client = async (): Promise<void> => {
    while (performance.now() < endsAt) {
      const sentAt = performance.now();
      const response = await agent.request({
        origin: server.url,
        method: "POST",
        path: `/threads/${randomUUID()}/runs/stream`,
        headers: { "content-type": "application/json" },
        body: JSON.stringify({
          assistant_id: "chunks",
          input: { count: CHUNKS },
          stream_mode: "custom",
          if_not_exists: "create",
        }),
      });
      const seen = await countChunks(response.body, () =>
        firsts.push(performance.now() - sentAt),
      );
      if (seen !== CHUNKS) throw new Error(`a stream of ${seen} chunks`);
      chunks += seen;
    }
  };
  await Promise.all(Array.from({ length: atOnce }, client));
  const took = (performance.now() - startedAt) / 1000;
  await agent.destroy();
  const first = summary(firsts, took);
  return {
    firstTokenP50: first.p50,
    firstTokenP99: first.p99,
    chunksPerSecond: chunks / took,
  };
}

async function countChunks(
  body: AsyncIterable<Buffer>,
  onFirst: () => void,
): Promise<number> {
  let seen = 0;
  let rest = "";
  for await (const piece of body) {
    const lines = (rest + piece.toString()).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines)
      if (line.trimEnd() === "event: custom") {
        if (seen === 0) onFirst();
        seen += 1;
      }
  }
  return seen;
}

interface Started {
  run_id: string;
  thread_id: string;
}

/** A run that does nothing for long. */
async function sleeping(connections: Connections): Promise<Started> {
  return connections.json<Started>({
    method: "POST",
    path: `/threads/${randomUUID()}/runs`,
    body: {
      assistant_id: "sleeps",
      input: { count: SLEEP_MS },
      if_not_exists: "create",
    },
  });
}

async function measureIdleStreams(server: Running): Promise<number> {
  await using connections = new Connections(server.url, 1);
  await connections.json(waitOnFreshThread());
  const { thread_id, run_id } = await sleeping(connections);
  await settled();
  const before = usageOf(server.pid).rssMb;
  const agent = new Agent({
    connections: null,
    bodyTimeout: 0,
    headersTimeout: 60_000,
  });
  const streams = Array.from({ length: IDLE_STREAMS }, async () => {
    const { body } = await agent.request({
      origin: server.url,
      method: "GET",
      path: `/threads/${thread_id}/runs/${run_id}/stream`,
    });
    body.on("error", () => {}); // it is torn down at the end
    body.resume();
  });
  await Promise.all(streams);
  await settled();
  const after = usageOf(server.pid).rssMb;
  await agent.destroy();
  return after - before;
}

/** Long enough for a heartbeat to each of many streams. */
const settled = () => new Promise((resolve) => setTimeout(resolve, 6_000));

async function measureBesideQueued(
  server: Running,
  { seconds, warmUp }: StreamSettings,
): Promise<number> {
  await using connections = new Connections(server.url, 32);
  await measureQueue(server, warmUp);
  const before = await measureQueue(server, seconds);
  const { thread_id } = await sleeping(connections);
  await load(
    connections,
    () => ({
      method: "POST",
      path: `/threads/${thread_id}/runs`,
      body: { assistant_id: "one-node", input: RUN_INPUT },
    }),
    { seconds: 600, count: QUEUED_RUNS },
  );
  const beside = await measureQueue(server, seconds);
  return (beside.p50 / before.p50 - 1) * 100;
}
