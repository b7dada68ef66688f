import { Hono } from "hono";
import { afterEach, expect, test } from "vitest";
import { eventStreamResponse } from "../../src/http/event-stream.ts";
import { listen, type Listening } from "../../src/http/listen.ts";
import type { App } from "../../src/http/deps.ts";
import type { RunEvent } from "../../src/model/run-event.ts";
import { runFrame } from "../../src/stream/sse.ts";
import { RawClient } from "../support/raw-socket.ts";
import { waitFor } from "../support/wait.ts";

let listening: Listening;
afterEach(() => listening.close(0));

/** Serves one stream, and tells how far it was read and how it was closed. */
async function serve(
  source: () => AsyncGenerator<RunEvent>,
  stalledMs: number,
) {
  const closes: boolean[] = [];
  const app = new Hono().get("/", (c) =>
    eventStreamResponse(
      c,
      source(),
      runFrame,
      (complete) => closes.push(complete),
      {
        stalledMs,
      },
    ),
  );
  listening = await listen({ host: "127.0.0.1", port: 0 });
  listening.serve(app as unknown as App);
  return closes;
}

const event = (seq: number, data: string): RunEvent => ({
  ...{ seq, run_id: "r", attempt: 1, event: "values", data, at: 0 },
});

test("a reader that takes nothing is cut off, and what it does not read is not produced", async () => {
  let produced = 0;
  const closes = await serve(async function* () {
    const data = JSON.stringify("x".repeat(100_000));
    for (;;) yield event((produced += 1), data);
  }, 300);
  const client = await RawClient.request(listening.url, "GET /", {});
  await client.until("event: values");
  client.socket.pause();
  await waitFor("it is cut off", () => closes.length > 0);
  expect(closes).toEqual([false]);
  expect(produced).toBeLessThan(500);
  client.socket.resume();
  await client.closed;
  expect(client.text.endsWith("0\r\n\r\n")).toBe(false); // not an end, which clients would believe
});

test("a reader that takes little at a time is not", async () => {
  const count = 100;
  const closes = await serve(async function* () {
    const data = JSON.stringify("x".repeat(100_000));
    for (let seq = 1; seq <= count; seq += 1) yield event(seq, data);
  }, 400);
  const client = await RawClient.request(listening.url, "GET /", {});
  client.socket.on("data", () => {
    client.socket.pause();
    setTimeout(() => client.socket.resume(), 10);
  });
  const started = performance.now();
  await client.until(`id: ${count}`);
  expect(performance.now() - started).toBeGreaterThan(800);
  await waitFor("it has all", () => closes.length > 0);
  expect(closes).toEqual([true]);
});
