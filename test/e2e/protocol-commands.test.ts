import { expect, test } from "vitest";
import {
  command,
  commanded,
  newThreadId,
  openSocket,
  reading,
} from "../support/protocol.ts";
import { NOBODY, UUID } from "../support/sdk.ts";
import { useServer } from "../support/server.ts";
import { waitFor } from "../support/wait.ts";

const server = useServer();

const start = (threadId: string, assistant_id: string, input: unknown) =>
  commanded(server, threadId, "run.start", { assistant_id, input });

const WISH = { wish: "a weekend in Porto" };

/** A thread whose run has ended. */
async function ran(graph: string, input: unknown) {
  const threadId = newThreadId();
  const reader = await reading(server, threadId);
  await start(threadId, graph, input);
  await reader.runs();
  return { threadId, reader };
}

const refused = async (...args: [string, string, object?]) => {
  const { type, error, message } = await command(server, ...args);
  expect(type).toBe("error");
  return [error, message];
};

test("run.start makes the thread, and tells up to where events precede what it does", async () => {
  const threadId = newThreadId();
  const { result, meta } = await start(threadId, "fan-out", { text: "a" });
  expect(result["run_id"]).toMatch(UUID);
  expect(meta).toEqual({ thread_id: threadId, applied_through_seq: 1 });
  const reader = await reading(server, threadId);
  await reader.runs();
  const again = await start(threadId, "fan-out", { text: "a" });
  const events = await reader.runs(2);
  const running = events.findLast(
    ({ params }) => params.data["event"] === "running",
  );
  expect(again.meta?.applied_through_seq).toBe(running?.seq);
});

test("run.start says what it lacks, and what it does not know", async () => {
  const threadId = newThreadId();
  expect(await refused(threadId, "run.start", { input: {} })).toEqual([
    "invalid_argument",
    "run.start requires an assistant_id.",
  ]);
  const unknown = { assistant_id: "nobody", input: {} };
  expect(await refused(threadId, "run.start", unknown)).toEqual([
    "invalid_argument",
    expect.stringContaining("nobody"),
  ]);
  const missing = {
    assistant_id: "fan-out",
    input: {},
    config: { configurable: { checkpoint_id: NOBODY } },
  };
  await ran("fan-out", { text: "a" });
  expect((await refused(threadId, "run.start", missing))[0]).toBe(
    "no_such_checkpoint",
  );
  expect(await refused(threadId, "run.stop")).toEqual([
    "unknown_command",
    "Unknown command: run.stop",
  ]);
});

test("run.start on a thread that waits for an answer takes its input for that", async () => {
  const { threadId, reader } = await ran("trip", WISH);
  await start(threadId, "trip", "window seat");
  await reader.runs(2);
  expect(reader.data("input.answered")).toEqual([
    {
      interrupt_ids: reader
        .data("input.requested")
        .map(({ interrupt_id }) => interrupt_id),
    },
  ]);
  const { values } = await server.client.threads.getState(threadId);
  expect(values).toMatchObject({
    booked: "window seat on the 9:30 to Porto",
  });
});

test("input.respond answers one question or many, with an update beside", async () => {
  const { threadId, reader } = await ran("parallel-approvals", {
    amounts: [1, 2],
  });
  const asked = reader.of("input.requested");
  expect(asked.length).toBeGreaterThan(1);
  const responses = asked.map(({ params }) => ({
    namespace: params.namespace,
    interrupt_id: params.data["interrupt_id"],
    response: "yes",
  }));
  const { result, meta } = await commanded(server, threadId, "input.respond", {
    responses,
    update: { decisions: ["3: noted"] },
  });
  expect(result).toEqual({});
  expect(meta?.thread_id).toBe(threadId);
  expect((await reader.runs(2)).at(-1)?.params.data["event"]).toBe("completed");
  const [answered] = reader.of("input.answered");
  expect(answered?.params.data["interrupt_ids"]).toEqual(
    responses.map(({ interrupt_id }) => interrupt_id),
  );
  expect(reader.data("values").at(-1)?.["decisions"]).toEqual(
    expect.arrayContaining(["1: yes", "2: yes", "3: noted"]),
  );
});

test("input.respond says what is wrong with an answer", async () => {
  const nothing = newThreadId();
  const entry = { namespace: [], interrupt_id: "x", response: 1 };
  expect(await refused(nothing, "input.respond", entry)).toEqual([
    "no_such_run",
    "Thread has no active assistant; call run.start first.",
  ]);
  expect(await refused(nothing, "input.respond", { response: 1 })).toEqual([
    "invalid_argument",
    "input.respond requires an interrupt_id.",
  ]);
  expect(await refused(nothing, "input.respond", { responses: [] })).toEqual([
    "invalid_argument",
    "input.respond requires at least one response.",
  ]);
  expect(await refused(nothing, "input.respond", { responses: [{}] })).toEqual([
    "invalid_argument",
    "input.respond responses entries require an interrupt_id.",
  ]);
  const { threadId } = await ran("trip", WISH);
  expect((await refused(threadId, "input.respond", entry))[0]).toBe(
    "no_such_interrupt",
  );
  const done = await ran("fan-out", { text: "a" });
  expect(await refused(done.threadId, "input.respond", entry)).toEqual([
    "no_such_run",
    "No interrupted run is bound to this thread.",
  ]);
  const busy = newThreadId();
  await start(busy, "slow", { steps: 5, seconds: 5 });
  expect(await refused(busy, "input.respond", entry)).toEqual([
    "invalid_argument",
    "input.respond can only be used while the run is interrupted.",
  ]);
});

test("a strict answer to what does not wait fails its run, tells why, and changes nothing", async () => {
  const { threadId, reader } = await ran("trip", WISH);
  const [asked] = reader.of("input.requested");
  const before = await server.client.threads.getState(threadId);
  const unknown = "0".repeat(32);
  await commanded(server, threadId, "input.respond", {
    ...{ namespace: [], interrupt_id: unknown, response: 1 },
    strict_resume: true,
  });
  expect((await reader.runs(2)).at(-1)?.params.data).toMatchObject({
    event: "failed",
    reason: "not_pending",
    interrupt_ids: [unknown],
    pending_ids: [asked?.params.data["interrupt_id"]],
  });
  const after = await server.client.threads.getState(threadId);
  expect(after.checkpoint).toEqual(before.checkpoint);
  expect(after.tasks[0]?.interrupts).toEqual(before.tasks[0]?.interrupts);
});

test("a message that is injected is the input of a run behind the one that goes on", async () => {
  const threadId = newThreadId();
  const reader = await reading(server, threadId);
  await start(threadId, "agent", {
    messages: [{ role: "user", content: "what is the weather in Paris?" }],
  });
  const message = { role: "user", content: "and thank you" };
  await commanded(server, threadId, "input.inject", { namespace: [], message });
  await reader.runs(2);
  const { values } = await server.client.threads.getState(threadId);
  const contents = (
    values as { messages: { content: unknown }[] }
  ).messages.map(({ content }) => content);
  expect(contents).toContain("and thank you");
  expect(
    (await refused(threadId, "input.inject", { namespace: ["x"], message }))[0],
  ).toBe("not_supported");
});

test("state.get, state.listCheckpoints and state.fork read and branch what a thread has been", async () => {
  const { threadId, reader } = await ran("trip", WISH);
  const { result } = await commanded(server, threadId, "state.get", {
    namespace: [],
    keys: ["city"],
  });
  expect(result["values"]).toEqual({ city: "Porto" });
  const namespace = reader.of("input.requested")[0]?.params.namespace;
  const nested = await commanded(server, threadId, "state.get", { namespace });
  expect(nested.result["values"]).toEqual({
    city: "Porto",
    train: "the 9:30 to Porto",
  });
  const nowhere = { namespace: ["nowhere"] };
  expect((await refused(threadId, "state.get", nowhere))[0]).toBe(
    "no_such_namespace",
  );

  const listed = await commanded(server, threadId, "state.listCheckpoints", {
    limit: 2,
  });
  const checkpoints = listed.result["checkpoints"] as {
    id: string;
    step: number;
    node_name?: string;
  }[];
  expect(checkpoints.map(({ step, node_name }) => [step, node_name])).toEqual([
    [1, "choose"],
    [0, "__start__"],
  ]);
  const forked = await commanded(server, threadId, "state.fork", {
    checkpoint_id: checkpoints[1]?.id,
  });
  expect(forked.result).toEqual({
    run_id: expect.stringMatching(UUID) as string,
    thread_id: threadId,
  });
  await reader.runs(2);
  const fork = { checkpoint_id: NOBODY };
  expect((await refused(threadId, "state.fork", fork))[0]).toBe(
    "no_such_checkpoint",
  );
});

test("agent.getTree shows which graphs run in which, and how they stand", async () => {
  const { threadId } = await ran("trip", WISH);
  const { result } = await commanded(server, threadId, "agent.getTree", {});
  expect(result["tree"]).toMatchObject({
    namespace: [],
    graph_name: "trip",
    status: "interrupted",
    children: [{ graph_name: "booking", status: "interrupted" }],
  });
  const unknown = { run_id: NOBODY };
  expect((await refused(threadId, "agent.getTree", unknown))[0]).toBe(
    "no_such_run",
  );
});

test("subscriptions are for WebSockets; one is answered before its first event, and ended by its id", async () => {
  const { threadId, reader } = await ran("fan-out", { text: "a" });
  expect(
    (
      await refused(threadId, "subscription.subscribe", {
        channels: ["values"],
      })
    )[0],
  ).toBe("not_supported");
  const socket = await openSocket(server, threadId);
  const { result } = await socket.command("subscription.subscribe", {
    channels: ["values"],
  });
  await waitFor("the replay", () => socket.events.length > 0);
  expect(socket.all[0]).toMatchObject({ type: "success", result });
  await waitFor(
    "all",
    () => socket.events.length === reader.of("values").length,
  );
  const ended = await socket.command("subscription.unsubscribe", result);
  expect(ended).toMatchObject({ type: "success", result: {} });
  expect(
    await socket.command("subscription.unsubscribe", result),
  ).toMatchObject({ error: "no_such_subscription" });
  const before = socket.events.length;
  await start(threadId, "fan-out", { text: "a" });
  await reader.runs(2);
  expect(socket.events.length).toBe(before);
});

test("whoever comes back has its subscriptions restored, after the last event that it has had", async () => {
  const { threadId, reader } = await ran("fan-out", { text: "a b c" });
  const first = await openSocket(server, threadId);
  const { result } = await first.command("subscription.subscribe", {
    channels: ["values", "lifecycle"],
  });
  const events = await first.runs();
  first.socket.close();
  const run_id = events[0]?.event_id.split(":")[1];
  const second = await openSocket(server, threadId);
  const answer = await second.command("subscription.reconnect", {
    run_id,
    last_event_id: events[1]?.event_id,
    subscriptions: [result?.["subscription_id"]],
  });
  expect(answer.result).toEqual({
    restored: true,
    missed_events: events.length - 2,
    current_namespaces: [{ namespace: [], status: "completed" }],
  });
  expect(await second.runs()).toEqual(events.slice(2));
  await start(threadId, "fan-out", { text: "a" });
  await reader.runs(2);
  await second.runs(2);
  const unknown = await second.command("subscription.reconnect", {
    run_id,
    subscriptions: ["sub_1_nothing"],
  });
  expect(unknown.result?.["restored"]).toBe(false);
});

test("commands over the socket are those of HTTP", async () => {
  const threadId = newThreadId();
  const socket = await openSocket(server, threadId);
  await socket.command("subscription.subscribe", { channels: ["lifecycle"] });
  const answer = await socket.command("run.start", {
    assistant_id: "fan-out",
    input: { text: "a" },
  });
  expect(answer.result?.["run_id"]).toMatch(UUID);
  const events = await socket.runs();
  expect(events.map(({ params }) => params.data["event"])).toContain("running");
});
