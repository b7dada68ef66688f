import { expect, test } from "vitest";
import {
  sharedDatabase,
  startApi,
  startInstance,
} from "../support/instances.ts";
import {
  ALL_CHANNELS,
  commanded,
  newThreadId,
  openSocket,
  reading,
  type Reading,
  type WireEvent,
} from "../support/protocol.ts";
import type { TestServer } from "../support/server.ts";
import { waitFor } from "../support/wait.ts";

const HELLO = { messages: [{ role: "user", content: "hello there" }] };

async function socketReading(
  server: TestServer,
  threadId: string,
  filter: object = {},
): Promise<Reading> {
  const socket = await openSocket(server, threadId);
  await socket.command("subscription.subscribe", {
    channels: ALL_CHANNELS,
    ...filter,
  });
  return socket;
}

/** Each once, in order. */
const expectInOrder = ({ seqs }: Reading) =>
  expect(seqs).toEqual([...new Set(seqs)].sort((a, b) => a - b));

test("a thread that one instance runs is observed at another, over SSE and WebSocket, event by event the same", async () => {
  const database = await sharedDatabase();
  const runs = await startInstance(database);
  const observes = await startApi(database);
  const threadId = newThreadId();
  const readers = [
    await reading(observes, threadId),
    await socketReading(observes, threadId),
    await reading(runs, threadId),
  ];
  for (const [index, assistant_id] of ["agent", "agent"].entries()) {
    await commanded(runs, threadId, "run.start", {
      assistant_id,
      input: HELLO,
    });
    for (const reader of readers) await reader.runs(index + 1);
  }
  const [sse, socket, there] = readers.map(({ events }) => events);
  expect(sse?.length).toBeGreaterThan(20);
  expect(sse).toEqual(there);
  expect(socket).toEqual(there);
  // Started here, executed there.
  await commanded(observes, threadId, "run.start", {
    assistant_id: "agent",
    input: HELLO,
  });
  for (const reader of readers) await reader.runs(3);
  expect(sse).toEqual(there);
  expect(socket).toEqual(there);
});

test("observers at another instance go on when the one that runs the thread is killed, and what is replayed is what they had", async () => {
  const database = await sharedDatabase();
  const doomed = await startInstance(database);
  const observes = await startApi(database);
  const threadId = newThreadId();
  const live = await reading(observes, threadId);
  const socket = await socketReading(observes, threadId);
  await commanded(doomed, threadId, "run.start", {
    assistant_id: "slow",
    input: { steps: 8, seconds: 0.3 },
  });
  await waitFor("some steps", () => live.of("values").length > 3);
  const replaces = await startInstance(database);
  await doomed.kill9();
  for (const reader of [live, socket]) {
    await reader.runs();
    expectInOrder(reader);
  }
  expect(socket.events).toEqual(live.events);
  expect(live.data("values").at(-1)).toMatchObject({
    done: [1, 2, 3, 4, 5, 6, 7, 8],
  });
  const since = live.seqs[4] ?? 0;
  const isAfter = ({ seq }: WireEvent) => seq > since;
  for (const server of [observes, replaces]) {
    const replayed = await reading(server, threadId, { since });
    await replayed.runs();
    expect(replayed.events).toEqual(live.events.filter(isAfter));
    const again = await socketReading(server, threadId, { since });
    await again.runs();
    expect(again.events).toEqual(replayed.events);
  }
}, 120_000);
