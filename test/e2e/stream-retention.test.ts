import { expect, test } from "vitest";
import { collect, dataOf, eventsOf, type Frame } from "../support/sdk.ts";
import { startServer, useServer, type TestServer } from "../support/server.ts";
import { waitFor } from "../support/wait.ts";
import { isOnPostgres } from "../support/postgres.ts";

const server = useServer();
const input = { text: "a bc" };
const state = { text: "a bc", lengths: [1, 2], total: 3 };

/** A run in the background, which nobody has asked to stream. */
async function unstreamed(
  { client: { threads, runs } }: TestServer,
  graph: string,
  payload: object,
) {
  const { thread_id } = await threads.create();
  const { run_id } = await runs.create(thread_id, graph, payload);
  return { thread_id, run_id };
}

async function streamed(
  { client: { threads, runs } }: TestServer,
  graph: string,
  payload: object,
) {
  const { thread_id } = await threads.create();
  const frames = await collect(
    runs.stream(thread_id, graph, { streamResumable: true, ...payload }),
  );
  const { run_id } = frames[0]!.data as { run_id: string };
  return { thread_id, run_id, frames };
}

const joined = (
  { client: { runs } }: TestServer,
  run: { thread_id: string; run_id: string },
  lastEventId?: string,
): Promise<Frame[]> =>
  collect(
    runs.joinStream(
      run.thread_id,
      run.run_id,
      lastEventId === undefined ? {} : { lastEventId },
    ),
  );

/** Comes back with its last id for as long as a server needs to start again. */
function followed(
  { client: { runs } }: TestServer,
  run: { thread_id: string; run_id: string },
): Promise<Frame[]> {
  const frames: Frame[] = [];
  const goOn = async () => {
    const lastEventId = frames.at(-1)?.id ?? "-1";
    const { thread_id, run_id } = run;
    const rest = runs.joinStream(thread_id, run_id, { lastEventId });
    for await (const frame of rest) frames.push(frame);
    return frames;
  };
  return waitFor("the stream has ended", goOn, { timeoutMs: 40_000 });
}

const plain = (frames: Frame[]) =>
  frames.map(({ event, data }) => [event, data]);

test("a stream that is past its retention is replaced by the state that the run has left, and an end", async () => {
  const brief = await startServer({
    env: { RESUMABLE_STREAM_TTL_SECONDS: "1" },
  });
  const run = await streamed(brief, "fan-out", { input });
  const failed = await streamed(brief, "failing", {
    input: { item: "lamp", stock: 0 },
    streamMode: "updates",
  });
  expect(await joined(brief, run, "-1")).toEqual(run.frames);
  // Another run moves the thread on; the first one still tells what it has left.
  await brief.client.runs.wait(run.thread_id, "fan-out", {
    input: { text: "later" },
  });
  const { run_id } = run;
  const expected = [
    ["metadata", { run_id, attempt: 1 }],
    ["values", state],
    ["end", { run_id, status: "success" }],
  ];
  await waitFor("it is swept", async () => {
    const frames = await joined(brief, failed, "-1");
    return eventsOf(frames)[1] === "values";
  });
  expect(plain(await joined(brief, run, "-1"))).toEqual(expected);
  const middle = run.frames[2]?.id ?? "";
  expect(plain(await joined(brief, run, middle))).toEqual(expected);
  expect(eventsOf(await joined(brief, run))).toEqual(["end"]);
  expect(plain(await joined(brief, failed, "-1")).slice(1)).toEqual([
    ["values", { item: "lamp", stock: 0, price: 40 }],
    ["error", { error: "OutOfStockError", message: "No lamp left" }],
    ["end", { run_id: failed.run_id, status: "error" }],
  ]);
  expect(await brief.client.runs.join(run.thread_id, run_id)).toBeTruthy();
});

test("a stream is the same after a restart of the server", async () => {
  const restarted = await startServer();
  const run = await streamed(restarted, "fan-out", {
    input,
    streamMode: ["values", "updates", "debug"],
  });
  await restarted.kill9();
  await restarted.start();
  expect(await joined(restarted, run, "-1")).toEqual(run.frames);
  const id = run.frames[4]?.id ?? "";
  expect(await joined(restarted, run, id)).toEqual(run.frames.slice(5));
});

// On Postgres every stream is stored: its readers may be at other servers.
test.skipIf(isOnPostgres())(
  "of a run that nobody has asked to stream there is the state and the end when it is over, before and after a restart",
  async () => {
    const restarted = await startServer();
    const run = await unstreamed(restarted, "fan-out", { input });
    await restarted.client.runs.join(run.thread_id, run.run_id);
    const expected = [
      ["metadata", { run_id: run.run_id, attempt: 1 }],
      ["values", state],
      ["end", { run_id: run.run_id, status: "success" }],
    ];
    const before = await joined(restarted, run, "-1");
    expect(plain(before)).toEqual(expected);
    await restarted.restart();
    expect(await joined(restarted, run, "-1")).toEqual(before);
    const last = before.at(-1)?.id ?? "";
    expect(eventsOf(await joined(restarted, run, last))).toEqual(["end"]);
  },
);

test.skipIf(isOnPostgres())(
  "a run that nobody has asked to stream goes on after the death of its server, and shows its next attempt",
  async () => {
    const killed = await startServer();
    const { threads, runs } = killed.client;
    const run = await unstreamed(killed, "slow", {
      input: { steps: 6, seconds: 0.3 },
      streamMode: "updates",
    });
    const reader = followed(killed, run);
    reader.catch(() => {}); // it is awaited below
    await waitFor("the second step is done", async () => {
      const { values } = await threads.getState<{ done?: number[] }>(
        run.thread_id,
      );
      return values.done?.[1];
    });
    await killed.kill9();
    await killed.start();
    const frames = await joined(killed, run, "-1");
    expect(frames[0]?.data).toEqual({ run_id: run.run_id, attempt: 2 });
    expect(dataOf(frames, "updates").at(-1)).toEqual({ work: { done: [6] } });
    expect(dataOf(frames, "updates").length).toBeLessThan(6);
    expect(frames.at(-1)).toMatchObject({ data: { status: "success" } });
    // The reader that was there before was told of both attempts.
    const seen = await reader;
    expect(dataOf(seen, "metadata")).toMatchObject([
      { attempt: 1 },
      { attempt: 2 },
    ]);
    expect(seen.at(-1)).toMatchObject({ event: "end" });
    expect((await runs.get(run.thread_id, run.run_id)).status).toBe("success");
  },
);

test("of a run that asked a question and was not streamed the question is there", async () => {
  const run = await unstreamed(server, "approval", { input: { to: "Ada" } });
  await server.client.runs.join(run.thread_id, run.run_id);
  const frames = await joined(server, run, "-1");
  expect(eventsOf(frames)[0]).toBe("metadata");
  expect(dataOf(frames, "values").at(-1)).toMatchObject({
    __interrupt__: [{ value: { question: "Send this letter?" } }],
  });
});

test("a run that nobody has asked to stream can be joined in its middle, with its past", async () => {
  const payload = { input: { count: 30, every: 20 }, streamMode: "custom" };
  const run = await unstreamed(server, "chatty", payload);
  await new Promise((resolve) => setTimeout(resolve, 200));
  const [all, live] = await Promise.all([
    joined(server, run, "-1"),
    joined(server, run),
  ]);
  const numbers = (frames: Frame[]) =>
    dataOf(frames, "custom").map((data) => (data as { n: number }).n);
  const upTo = Array.from({ length: 30 }, (_, n) => n);
  expect(all[0]?.event).toBe("metadata");
  expect(numbers(all)).toEqual(upTo);
  expect(live.length).toBeLessThan(all.length);
  expect(live).toEqual(all.slice(-live.length));
});

test("a run that streams more than is kept loses the oldest events; who comes for them gets the state instead", async () => {
  const { run_id, thread_id, frames } = await streamed(server, "chatty", {
    input: { count: 25_000 },
    streamMode: ["custom"],
  });
  const told = dataOf(frames, "custom") as { n: number }[];
  expect(told.map(({ n }) => n)).toEqual(
    Array.from({ length: 25_000 }, (_, n) => n),
  );
  const again = await waitFor("the oldest are deleted", async () => {
    const frames = await joined(server, { run_id, thread_id }, "-1");
    return frames[1]?.event === "values" ? frames : null;
  });
  expect(eventsOf(again.slice(0, 3))).toEqual(["metadata", "values", "custom"]);
  expect(again[1]?.data).toMatchObject({ count: 25_000, said: 25_000 });
  const kept = again.slice(2);
  expect(kept).toEqual(frames.slice(-kept.length));
  expect(kept.length).toBeGreaterThan(5000);
  expect(kept.length).toBeLessThanOrEqual(20_000);
  // Nothing is missing behind what is kept.
  const id = kept[10]?.id ?? "";
  expect(await joined(server, { run_id, thread_id }, id)).toEqual(
    kept.slice(11),
  );
});

test("events that are large are bounded by their bytes, and all are told to who is there", async () => {
  const { thread_id } = await server.client.threads.create();
  const path = `/threads/${thread_id}/runs`;
  // The SDK takes a minute for so much; the wire does not.
  const answer = await server.send("POST", `${path}/stream`, {
    assistant_id: "chatty",
    input: { count: 30, size: 2_000_000, every: 20 },
    stream_mode: "custom",
  });
  const numbers = (text: string) =>
    [...text.matchAll(/^data: \{"n":(\d+)/gm)].map(([, n]) => Number(n));
  const upTo = Array.from({ length: 30 }, (_, n) => n);
  expect(numbers(await answer.text())).toEqual(upTo);
  const [run] = await server.client.runs.list(thread_id);
  const again = await server.fetch(`${path}/${run?.run_id}/stream`, {
    headers: { "last-event-id": "-1" },
  });
  const kept = numbers(await again.text());
  expect(kept).toEqual(upTo.slice(-kept.length));
  expect(kept.length).toBeGreaterThanOrEqual(4);
  expect(kept.length).toBeLessThan(20);
}, 90_000);
