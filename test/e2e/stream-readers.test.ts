import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { RawClient } from "../support/raw-socket.ts";
import { useServer } from "../support/server.ts";
import { waitFor } from "../support/wait.ts";

const server = useServer();

const newThread = async (): Promise<string> =>
  (await server.client.threads.create()).thread_id;

/** Half a second of work, which says something on the way. */
const work = {
  assistant_id: "slow",
  input: { steps: 5, seconds: 0.15 },
  stream_mode: "custom",
};

const runOf = (threadId: string) =>
  waitFor("there is a run", async () => {
    const [run] = await server.client.runs.list(threadId);
    return run;
  });

/** How the only run of the thread ends. */
async function endOf(threadId: string): Promise<string> {
  const { run_id } = await runOf(threadId);
  return waitFor("the run has ended", async () => {
    const { status } = await server.client.runs.get(threadId, run_id);
    return ["pending", "running"].includes(status) ? null : status;
  });
}

/** Ways for a socket to go. */
const WAYS: [string, (client: RawClient) => void][] = [
  ["is reset", ({ socket }) => socket.resetAndDestroy()],
  ["is closed", ({ socket }) => socket.destroy()],
];

describe.each(["stream", "wait"])("the client of a %s", (way) => {
  const start = async (threadId: string, more: object) =>
    RawClient.request(server.url, `POST /threads/${threadId}/runs/${way}`, {
      body: { ...work, ...more },
    });

  test.each(WAYS)(
    "whose socket %s cancels its run when it said so, and leaves it alone when not",
    async (_, leave) => {
      for (const [on_disconnect, status] of [
        ["cancel", "interrupted"],
        ["continue", "success"],
        [undefined, "success"],
      ]) {
        const threadId = await newThread();
        const client = await start(threadId, { on_disconnect });
        await client.until("\r\n\r\n");
        await waitFor("it works", async () => {
          const { status } = await server.client.runs
            .get(threadId, (await runOf(threadId)).run_id);
          return status === "running";
        }); // prettier-ignore
        leave(client);
        expect([on_disconnect, await endOf(threadId)]).toEqual([
          on_disconnect,
          status,
        ]);
      }
    },
  );

  test("who has got everything cancels nothing by going", async () => {
    const threadId = await newThread();
    const client = await start(threadId, { on_disconnect: "cancel" });
    await client.until(way === "wait" ? '"done"' : "event: end");
    client.socket.destroy();
    expect(await endOf(threadId)).toBe("success");
  });

  test("who goes before the run had its turn takes it out of the queue", async () => {
    const threadId = await newThread();
    const first = await server.client.runs.create(threadId, "slow", {
      input: { steps: 3, seconds: 0.3 },
    });
    const client = await start(threadId, { on_disconnect: "cancel" });
    await client.until("\r\n\r\n");
    client.socket.destroy();
    await server.client.runs.join(threadId, first.run_id);
    expect(await endOf(threadId)).toBe("interrupted");
    const { status } = await server.client.runs.get(threadId, first.run_id);
    expect(status).toBe("success");
  });
});

test.each(["stream", "join"])(
  "of those who joined by %s only the one that asked to cancel does",
  async (way) => {
    const threadId = await newThread();
    const { run_id } = await server.client.runs.create(threadId, "slow", {
      input: { steps: 100, seconds: 0.1 },
    });
    const path = `/threads/${threadId}/runs/${run_id}/${way}`;
    const join = async (query: string) => {
      const client = await RawClient.request(
        server.url,
        `GET ${path}${query}`,
        {},
      );
      await client.until("\r\n\r\n");
      return client;
    };
    const stays = await join("?cancel_on_disconnect=true");
    for (const query of ["", "?cancel_on_disconnect=0"])
      (await join(query)).socket.destroy();
    // Both have been noticed by now: the server answers others in between.
    for (let step = 0; step < 5; step += 1)
      await server.client.threads.get(threadId);
    const { status } = await server.client.runs.get(threadId, run_id);
    expect(status).toBe("running");
    stays.socket.destroy();
    expect(await endOf(threadId)).toBe("interrupted");
  },
);

const numbersIn = (text: string): number[] =>
  [...text.matchAll(/"n":(\d+),/g)].map(([, n]) => Number(n));

test("a reader that stops reading holds up nobody, costs little memory, and misses nothing without being told", async () => {
  const threadId = await newThread();
  const body = {
    assistant_id: "chatty",
    input: { count: 3000, size: 20_000 },
    stream_mode: "custom",
  };
  const before = memoryOf(server.pid);
  const slow = await RawClient.request(
    server.url,
    `POST /threads/${threadId}/runs/stream`,
    { body },
  );
  await slow.until("event: custom");
  slow.socket.pause();
  const { run_id } = await runOf(threadId);
  const path = `/threads/${threadId}/runs/${run_id}/stream`;
  const fast = await server.fetch(path);
  const live = numbersIn(await fast.text());
  expect(live.at(-1)).toBe(2999);
  expect(live).toEqual(live.map((_, index) => live[0]! + index));
  expect(memoryOf(server.pid) - before).toBeLessThan(300);

  slow.socket.resume();
  await slow.until("event: end");
  // 60 MB are more than is kept: what is missing is in the state that stands for it.
  const parts = slow.text.split("event: values\n");
  for (const part of parts) {
    const numbers = numbersIn(part);
    expect(numbers).toEqual(numbers.map((_, index) => numbers[0]! + index));
  }
  expect(numbersIn(slow.text).at(-1)).toBe(2999);
  expect(numbersIn(slow.text)[0]).toBe(0);
});

/** Resident memory in MB. */
function memoryOf(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
}
