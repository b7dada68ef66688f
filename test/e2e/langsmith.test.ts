/** What a run has of LangSmith with a key, and that nothing leaves the machine without one. */
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import { text as textOf } from "node:stream/consumers";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { collect, dataOf } from "../support/sdk.ts";
import { startServer } from "../support/server.ts";
import { waitFor } from "../support/wait.ts";

interface Heard {
  path: string;
  key: string | undefined;
  body: string;
}

/** Stands for LangSmith, on this machine: gives links, and remembers what it is sent. */
async function fakeLangSmith({ isBroken = false } = {}) {
  const heard: Heard[] = [];
  const service = createServer((request: IncomingMessage, response) => {
    void textOf(request).then((body) => {
      const path = request.url ?? "";
      heard.push({ path, key: request.headers["x-api-key"] as string, body });
      const { feedback_key } = path.includes("feedback")
        ? (JSON.parse(body) as { feedback_key: string })
        : { feedback_key: "" };
      response.writeHead(isBroken ? 500 : 200, {
        "content-type": "application/json",
      });
      response.end(
        JSON.stringify({
          url: `https://feedback.example/${feedback_key}`,
          batch_ingest_config: { use_multipart_endpoint: false },
        }),
      );
    });
  }).listen(0, "127.0.0.1");
  await once(service, "listening");
  onTestFinished(() => void service.close());
  const { port } = service.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, heard };
}

const text = "a bc";
const input = { text };
const request = {
  input,
  feedbackKeys: ["useful", "kind"],
  _langsmithTracer: { projectName: "my-project" },
} as never;

test("with a key, feedback keys get links, and the run is traced in the project that was named", async () => {
  const { url, heard } = await fakeLangSmith();
  const server = await startServer({
    workers: 1,
    env: { LANGSMITH_API_KEY: "the-key", LANGSMITH_ENDPOINT: url },
  });
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  const links = {
    useful: "https://feedback.example/useful",
    kind: "https://feedback.example/kind",
  };
  const frames = await collect(runs.stream(thread_id, "fan-out", request));
  expect(dataOf(frames, "feedback")).toEqual([links]);
  // The SDK's `wait` sends no keys, and its `stream` no tracer.
  const waited = await server.send("POST", `/threads/${thread_id}/runs/wait`, {
    assistant_id: "fan-out",
    input,
    feedback_keys: ["useful", "kind"],
    langsmith_tracer: { project_name: "my-project" },
  });
  expect(await waited.json()).toMatchObject({ text, __feedback__: links });
  const [run] = await runs.list(thread_id);
  const tokens = heard.filter(({ path }) => path === "/feedback/tokens");
  expect(tokens).toHaveLength(4);
  expect(JSON.parse(tokens.at(-1)!.body)).toMatchObject({
    run_id: run?.run_id,
  });
  expect(new Set(tokens.map(({ key }) => key))).toEqual(new Set(["the-key"]));
  await waitFor("the run is traced", () =>
    heard.some(
      ({ path, body }) => path.includes("runs") && body.includes("my-project"),
    ),
  );
});

test("a LangSmith that fails costs no run its end", async () => {
  const { url } = await fakeLangSmith({ isBroken: true });
  const server = await startServer({
    workers: 1,
    env: { LANGSMITH_API_KEY: "the-key", LANGSMITH_ENDPOINT: url },
  });
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  const frames = await collect(runs.stream(thread_id, "fan-out", request));
  expect(dataOf(frames, "feedback")).toEqual([]);
  expect(frames.at(-1)).toMatchObject({ data: { status: "success" } });
});

test("without a key both are ignored, and nothing is sent", async () => {
  const { url, heard } = await fakeLangSmith();
  const server = await startServer({
    workers: 1,
    env: { LANGSMITH_ENDPOINT: url },
  });
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  const frames = await collect(runs.stream(thread_id, "fan-out", request));
  expect(dataOf(frames, "feedback")).toEqual([]);
  expect(await runs.wait(thread_id, "fan-out", request)).not.toHaveProperty(
    "__feedback__",
  );
  expect(heard).toEqual([]);
});
