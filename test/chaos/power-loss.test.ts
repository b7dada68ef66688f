/**
 * No test pulls the plug. What can be seen is what a power loss depends on:
 * whether the disk had the write (fsync) when the client had its answer. The
 * kernel is asked, through strace, in the order in which it was called.
 */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { startServer, type TestServer } from "../support/server.ts";
import { waitFor } from "../support/wait.ts";

const THREADS = 10;

/** strace must be there, and allowed to look at another process. */
const canTrace =
  process.platform === "linux" &&
  spawnSync("strace", ["-f", "-o", "/dev/null", "true"]).status === 0;

type Call = "sync" | "answer";

/** What the server did while the clients created threads, one after the other. */
async function trace(server: TestServer): Promise<Call[]> {
  const file = join(server.directory, "strace");
  const calls = "trace=fsync,fdatasync,write,writev,sendto,sendmsg";
  const flags = ["-f", "-y", "-e", calls, "-s", "16", "-o", file];
  const strace = spawn("strace", [...flags, "-p", String(server.pid)], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  onTestFinished(() => void strace.kill("SIGKILL"));
  let said = "";
  strace.stderr.setEncoding("utf8").on("data", (text) => (said += text));
  await waitFor("strace is attached", () => said.includes("attached"));
  for (let n = 0; n < THREADS; n++) await server.client.threads.create();
  const ended = once(strace, "exit");
  strace.kill("SIGINT");
  await ended;
  return existsSync(file) ? callsIn(readFileSync(file, "utf8")) : [];
}

const callsIn = (text: string): Call[] =>
  text.split("\n").flatMap((line): Call[] => {
    if (/\b(fsync|fdatasync)\(\d+<[^>]*spool\.db-wal>.*= 0$/.test(line))
      return ["sync"];
    return line.includes("HTTP/1.1 200") ? ["answer"] : [];
  });

describe.skipIf(!canTrace)("as the kernel sees it", () => {
  test("a write is on the disk before it is answered", async () => {
    const calls = await trace(await startServer({ workers: 1 }));
    const answers = calls.flatMap((call, n) => (call === "answer" ? [n] : []));
    expect(answers).toHaveLength(THREADS);
    expect(answers.map((n) => calls[n - 1])).toEqual(answers.map(() => "sync"));
  });

  test("with --durability relaxed nothing waits for the disk", async () => {
    const flags = ["--durability", "relaxed"];
    const calls = await trace(await startServer({ workers: 1, flags }));
    expect(calls).toEqual(Array.from({ length: THREADS }, () => "answer"));
  });
});

test("with --durability relaxed what was acknowledged survives kill -9", async () => {
  const flags = ["--durability", "relaxed"];
  const server = await startServer({ workers: 1, flags });
  const threads = await Promise.all(
    Array.from({ length: 50 }, () => server.client.threads.create()),
  );
  await server.kill9();
  await server.start();
  const found = await server.client.threads.search({ limit: 1000 });
  const ids = (list: { thread_id: string }[]) =>
    list.map(({ thread_id }) => thread_id).sort();
  expect(ids(found)).toEqual(ids(threads));
});
