/*
 * How fast is the way between server and worker? Requests one after the other
 * (latency) and notices that stream (throughput), over a socket pair between
 * two processes and in memory. One JSON line.
 *
 *   node --import @oxc-node/core/register bench/pipe.ts [requests] [notices] [bytes per notice]
 */
import { spawn } from "node:child_process";
import { Socket } from "node:net";
import { cpus } from "node:os";
import type { Duplex } from "node:stream";
import { fileURLToPath } from "node:url";
import type { Method } from "../src/protocol/method.ts";
import { Peer } from "../src/protocol/peer.ts";
import { memoryPipe, Pipe } from "../src/protocol/pipe.ts";

const CHILD = "--as-child";
const PIPE_FD = 3;
const isChild = process.argv.includes(CHILD);
const [requests = 20_000, notices = 200_000, bytes = 200] = process.argv
  .slice(2)
  .filter((argument) => argument !== CHILD)
  .map(Number);

type Requests = { echo: Method<unknown, unknown>; heard: Method<null, number> };
type Notices = { event: string };
type Nothing = Record<never, never>;

function serve(pipe: Pipe): Peer<Requests, Notices, Nothing, Nothing> {
  let heard = 0;
  return new Peer<Requests, Notices, Nothing, Nothing>({
    pipe,
    runtime: `node ${process.versions.node}`,
    requests: { echo: async (value) => value, heard: async () => heard },
    notices: { event: () => void heard++ },
  });
}

async function measure(pipe: Pipe) {
  const peer = new Peer<Nothing, Nothing, Requests, Notices>({
    pipe,
    runtime: `node ${process.versions.node}`,
    requests: {},
    notices: {},
  });
  await peer.ready;
  const params = { thread_id: "t", values: { text: "x".repeat(bytes) } };
  for (let i = 0; i < 1000; i++) await peer.request("echo", params); // warm
  const latencies: number[] = [];
  for (let i = 0; i < requests; i++) {
    const started = performance.now();
    await peer.request("echo", params);
    latencies.push(performance.now() - started);
  }
  latencies.sort((a, b) => a - b);
  const started = performance.now();
  for (let i = 0; i < notices; i++)
    await peer.notify("event", params.values.text);
  const heard = await peer.request("heard", null);
  const seconds = (performance.now() - started) / 1000;
  if (heard !== notices) throw new Error(`${heard} of ${notices} arrived`);
  peer.close();
  const at = (part: number) =>
    Math.round((latencies[Math.floor(latencies.length * part)] ?? 0) * 1000);
  return {
    request_p50_us: at(0.5),
    request_p99_us: at(0.99),
    notices_per_second: Math.round(notices / seconds),
    megabytes_per_second: Math.round((notices * bytes) / seconds / 1e6),
  };
}

async function overMemory() {
  const [here, there] = memoryPipe();
  serve(there);
  return measure(here);
}

async function overSocket() {
  const child = spawn(
    process.execPath,
    [...process.execArgv, fileURLToPath(import.meta.url), CHILD],
    { stdio: ["ignore", "inherit", "inherit", "pipe"] },
  );
  try {
    return await measure(new Pipe(child.stdio[PIPE_FD] as Duplex));
  } finally {
    child.kill();
  }
}

if (isChild)
  serve(new Pipe(new Socket({ fd: PIPE_FD, readable: true, writable: true })));
else
  process.stdout.write(
    `${JSON.stringify({
      bench: "pipe",
      node: process.versions.node,
      cpu: cpus()[0]?.model,
      cpus: cpus().length,
      requests,
      notices,
      bytes,
      socket: await overSocket(),
      memory: await overMemory(),
    })}\n`,
  );
