/** Threads with a time to live, from langgraph.json and of their own, on a server that sweeps every 300 ms. */
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test, vi } from "vitest";
import { refusal } from "../support/sdk.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { temporaryProject } from "../support/temporary-project.ts";
import { waitFor } from "../support/wait.ts";

// A server starts in each of these, and threads have to grow old.
vi.setConfig({ testTimeout: 120_000 });

const GRAPH = fileURLToPath(
  new URL("../../examples/patterns/src/fan-out.ts", import.meta.url),
);

async function serve(ttl: object): Promise<TestServer> {
  const project = temporaryProject({
    "langgraph.json": JSON.stringify({
      graphs: { "fan-out": `${GRAPH}:graph` },
      checkpointer: { ttl: { sweep_interval_minutes: 0.005, ...ttl } },
    }),
  });
  onTestFinished(() => project[Symbol.dispose]());
  return startServer({ config: `${project.root}/langgraph.json` });
}

const isGone = async ({ client }: TestServer, threadId: string) =>
  (await refusal(client.threads.get(threadId))).status === 404;

test("a thread goes when its time is over, and with it its runs; one that lives longer stays", async () => {
  const server = await serve({ default_ttl: 0.03 });
  const { threads, runs } = server.client;
  const long = await threads.create({ ttl: 60 });
  const { thread_id } = await threads.create();
  await runs.wait(thread_id, "fan-out", { input: { text: "a bc" } });
  expect((await threads.get(thread_id)).values).toMatchObject({ total: 3 });
  await waitFor("it is gone", () => isGone(server, thread_id));
  expect((await refusal(runs.list(thread_id))).status).toBe(404);
  expect(await threads.search()).toMatchObject([long]);
});

test("a thread that is used does not go, and threads that runs make have the default too", async () => {
  const server = await serve({ default_ttl: 0.1 });
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  const used = Date.now();
  while (Date.now() - used < 8000)
    await runs.wait(thread_id, "fan-out", { input: { text: "a" } });
  expect(await threads.get(thread_id)).toMatchObject({ status: "idle" });
  await server.send("POST", "/runs/wait", {
    assistant_id: "fan-out",
    input: { text: "a" },
    on_completion: "keep",
  });
  expect(await threads.count()).toBe(2);
  await waitFor("both are gone", async () => (await threads.count()) === 0, {
    timeoutMs: 60_000,
  });
});

test("of a thread that keeps the latest its state stays, and the history goes", async () => {
  const server = await serve({});
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  await runs.wait(thread_id, "fan-out", { input: { text: "a bc" } });
  const before = await threads.getState(thread_id);
  expect((await threads.getHistory(thread_id)).length).toBeGreaterThan(1);
  await server.send("PATCH", `/threads/${thread_id}`, {
    ttl: { ttl: 0.01, strategy: "keep_latest" },
  });
  await waitFor(
    "the history is short",
    async () => (await threads.getHistory(thread_id)).length === 1,
  );
  expect((await threads.getState(thread_id)).values).toEqual(before.values);
  expect(await threads.get(thread_id, { include: ["ttl"] })).toMatchObject({
    ttl: { strategy: "keep_latest", ttl_minutes: 0.01, expires_at: null },
    values: { total: 3 },
  });
  const values = await runs.wait(thread_id, "fan-out", {
    input: { text: "d" },
  });
  expect(values).toMatchObject({ text: "d" });
});
