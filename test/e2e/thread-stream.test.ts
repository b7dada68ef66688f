import type { Client } from "@langchain/langgraph-sdk";
import { expect, onTestFinished, test } from "vitest";
import {
  collect,
  eventsOf,
  NOBODY,
  refusal,
  type Frame,
} from "../support/sdk.ts";
import { startServer, useServer } from "../support/server.ts";
import { waitFor } from "../support/wait.ts";

const server = useServer();
const text = "a bc";

type JoinOptions = Parameters<Client["threads"]["joinStream"]>[1];

/** A reader of a thread in the background, and what it has seen so far. */
function reading(client: Client, threadId: string, options: JoinOptions = {}) {
  const leave = new AbortController();
  onTestFinished(() => leave.abort());
  const frames: Frame[] = [];
  const signal = leave.signal;
  const ended = (async () => {
    for await (const frame of client.threads.joinStream(threadId, {
      ...options,
      signal,
    }))
      frames.push(frame as Frame);
  })().catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
  const until = (event: string, count = 1) =>
    waitFor(
      `${count} ${event}`,
      () => eventsOf(frames).filter((name) => name === event).length >= count,
    );
  return { frames, until, ended, leave: () => leave.abort() };
}

async function newThread(): Promise<string> {
  return (await server.client.threads.create()).thread_id;
}

const streamed = (threadId: string, options: object = {}) =>
  collect(
    server.client.runs.stream(threadId, "fan-out", {
      input: { text },
      ...options,
    }),
  );

test("a thread's stream shows its runs one after the other, as their own streams do, until the thread is gone", async () => {
  const threadId = await newThread();
  const before = await streamed(threadId);
  const reader = reading(server.client, threadId);
  // A joiner without a cursor sees what comes after it has come.
  await waitFor("it listens", async () => {
    const { run_id } = await server.client.runs.create(threadId, "fan-out", {
      input: { text },
    });
    await server.client.runs.join(threadId, run_id);
    return reader.frames.length > 0;
  });
  const first = await streamed(threadId, { streamMode: ["updates"] });
  const second = await streamed(threadId, { streamMode: ["values", "tasks"] });
  const seen = (frames: Frame[]) => frames.map(({ id }) => id).join();
  await waitFor("both were told", () =>
    seen(reader.frames).endsWith(seen([...first, ...second])),
  );
  expect(reader.frames.slice(-second.length)).toEqual(second);
  const ids = reader.frames.map(({ id }) => Number(id));
  expect(ids[0]).toBeGreaterThan(Number(before.at(-1)?.id));
  expect(ids).toEqual([...new Set(ids)].sort((a, b) => a - b));
  await server.client.threads.delete(threadId);
  await reader.ended;
});

test("everything that is kept is replayed in the order of the runs, and from any frame on", async () => {
  const threadId = await newThread();
  const all = [
    ...(await streamed(threadId)),
    ...(await streamed(threadId, { streamMode: "updates" })),
  ];
  for (const lastEventId of ["-1", "-", "nonsense"]) {
    const reader = reading(server.client, threadId, { lastEventId });
    await reader.until("end", 2);
    expect(reader.frames).toEqual(all);
    reader.leave();
  }
  const middle = all[3]?.id ?? "";
  const late = reading(server.client, threadId, { lastEventId: middle });
  const third = await streamed(threadId);
  await late.until("end", 3);
  expect(late.frames).toEqual([...all.slice(4), ...third]);
});

test("mode lifecycle has the start and the end of each run, and nothing between", async () => {
  const threadId = await newThread();
  const frames = [...(await streamed(threadId)), ...(await streamed(threadId))];
  const reader = reading(server.client, threadId, {
    lastEventId: "-1",
    streamMode: "lifecycle",
  });
  await reader.until("end", 2);
  expect(reader.frames).toEqual(
    frames.filter(({ event }) => ["metadata", "end"].includes(event)),
  );
});

test("mode state_update has the state that each run has left, also when it is replayed", async () => {
  const threadId = await newThread();
  const live = reading(server.client, threadId, {
    lastEventId: "-1",
    streamMode: ["state_update", "lifecycle"],
  });
  await streamed(threadId, { input: { text: "a" } });
  await streamed(threadId, { input: { text: "bcd ef" } });
  await live.until("state_update", 2);
  expect(eventsOf(live.frames)).toEqual([
    ...["metadata", "end", "state_update"],
    ...["metadata", "end", "state_update"],
  ]);
  const [, end, first, , , second] = live.frames;
  expect(first?.data).toMatchObject({
    thread_id: threadId,
    run_id: (end?.data as { run_id: string } | undefined)?.run_id,
    state: { values: { text: "a" }, next: [] },
  });
  const state = await server.client.threads.getState(threadId);
  expect(second?.data).toMatchObject({ state });

  const again = reading(server.client, threadId, {
    lastEventId: "-1",
    streamMode: "state_update",
  });
  await again.until("state_update", 2);
  expect(again.frames).toEqual([first, second]);
  // Whoever saw the end of a run but not its state is owed it; whoever saw both is not.
  const owed = reading(server.client, threadId, {
    lastEventId: end?.id ?? "",
    streamMode: "state_update",
  });
  await owed.until("state_update", 2);
  expect(owed.frames).toEqual([first, second]);
  const past = reading(server.client, threadId, {
    lastEventId: first?.id ?? "",
    streamMode: "state_update",
  });
  await past.until("state_update");
  expect(past.frames).toEqual([second]);
});

test("a thread's stream is the same after a restart, and goes on", async () => {
  const restarted = await startServer();
  const { threads, runs } = restarted.client;
  const { thread_id } = await threads.create();
  const run = () =>
    collect(runs.stream(thread_id, "fan-out", { input: { text } }));
  const before = await run();
  await restarted.restart();
  const reader = reading(restarted.client, thread_id, { lastEventId: "-1" });
  await reader.until("end");
  expect(reader.frames).toEqual(before);
  const after = await run();
  await reader.until("end", 2);
  expect(reader.frames).toEqual([...before, ...after]);
});

test("many runs in a row lose no frame to a thread's stream", async () => {
  const threadId = await newThread();
  const { runs } = server.client;
  const readers = [
    reading(server.client, threadId, { lastEventId: "-1" }),
    reading(server.client, threadId, { lastEventId: "-1", streamMode: "lifecycle" }),
  ]; // prettier-ignore
  const created = await Promise.all(
    Array.from({ length: 30 }, () =>
      runs.create(threadId, "fan-out", { input: { text } }),
    ),
  );
  for (const reader of readers) {
    await reader.until("end", 30);
    const told = (event: string) =>
      reader.frames
        .filter((frame) => frame.event === event)
        .map(({ data }) => (data as { run_id: string }).run_id);
    expect(told("metadata").sort()).toEqual(
      created.map(({ run_id }) => run_id).sort(),
    );
    expect(told("end")).toHaveLength(30);
  }
  expect(readers[0]?.frames).toHaveLength(30 * 5);
});

test("an idle thread's stream keeps itself alive", async () => {
  const threadId = await newThread();
  const leave = new AbortController();
  const answer = await server.fetch(`/threads/${threadId}/stream`, {
    signal: leave.signal,
  });
  expect(answer.headers.get("content-type")).toMatch(/^text\/event-stream/);
  const { value } = (await answer.body!.getReader().read()) as {
    value: Uint8Array;
  };
  leave.abort();
  expect(Buffer.from(value).toString()).toBe(": heartbeat\r\n\r\n");
});

test("what cannot be followed is refused", async () => {
  const { threads } = server.client;
  const ask = (threadId: string, streamMode?: string[]) =>
    refusal(
      collect(
        threads.joinStream(threadId, { streamMode: streamMode as never }),
      ),
    );
  expect(await ask(NOBODY)).toEqual({
    status: 404,
    detail: `Thread with ID ${NOBODY} not found`,
  });
  expect((await ask("x")).status).toBe(422);
  expect(await ask(await newThread(), ["values"])).toEqual({
    status: 422,
    detail:
      'stream_mode: unknown mode "values"; known are run_modes, lifecycle, state_update',
  });
});

test("the modes may have either name, and an unknown one beside a known one is ignored", async () => {
  const threadId = await newThread();
  await streamed(threadId);
  const answer = await server.fetch(
    `/threads/${threadId}/stream?stream_modes=lifecycle&stream_modes=visions`,
    { headers: { "last-event-id": "-" } },
  );
  const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (!text.includes("event: end")) text += (await reader.read()).value;
  await reader.cancel();
  expect(text.match(/^event: .*$/gm)).toEqual([
    "event: metadata",
    "event: end",
  ]);
  await waitFor("the log has told of it", () =>
    /unknown stream modes are ignored.*visions/.test(server.output()),
  );
});
