import { beforeAll, describe, expect, test } from "vitest";
import { NOBODY, refusal, TIMESTAMP, UUID } from "../support/sdk.ts";
import { useServer } from "../support/server.ts";

const server = useServer();

const letter = "Dear Ada, please find the report attached.";
const question = { question: "Send this letter?", letter };

/** A thread whose graph waits for an answer. */
async function askedThread(): Promise<string> {
  const { thread_id } = await server.client.threads.create();
  await server.client.runs.wait(thread_id, "approval", {
    input: { to: "Ada" },
    metadata: { trial: "first" },
  });
  return thread_id;
}

async function bookingThread(): Promise<string> {
  const { thread_id } = await server.client.threads.create();
  await server.client.runs.wait(thread_id, "trip", {
    input: { wish: "a weekend in Porto" },
  });
  return thread_id;
}

describe("reading", () => {
  test("a thread without runs has an empty state", async () => {
    const { thread_id } = await server.client.threads.create();
    expect(await server.client.threads.getState(thread_id)).toEqual({
      values: {},
      next: [],
      tasks: [],
      metadata: null,
      created_at: null,
      checkpoint: null,
      parent_checkpoint: null,
      interrupts: [],
    });
  });

  test("a state says what is next, what is asked, and where it comes from", async () => {
    const threadId = await askedThread();
    const state = await server.client.threads.getState(threadId);
    expect(state).toMatchObject({
      values: { to: "Ada", letter, log: ["written"] },
      next: ["approve"],
      created_at: expect.stringMatching(TIMESTAMP),
      metadata: {
        source: "loop",
        step: 1,
        parents: {},
        thread_id: threadId,
        graph_id: "approval",
        trial: "first",
        run_id: expect.stringMatching(UUID),
        assistant_id: expect.stringMatching(UUID),
      },
      checkpoint: {
        thread_id: threadId,
        checkpoint_ns: "",
        checkpoint_id: expect.stringMatching(UUID),
      },
      parent_checkpoint: { thread_id: threadId, checkpoint_ns: "" },
    });
    expect(state.tasks).toHaveLength(1);
    expect(state.tasks[0]).toMatchObject({
      name: "approve",
      path: ["__pregel_pull", "approve"],
      error: null,
      interrupts: [{ id: expect.any(String), value: question }],
      checkpoint: null,
      state: null,
    });
    expect(state).toHaveProperty("interrupts", state.tasks[0]?.interrupts);
  });

  test("the row of the thread agrees with its state", async () => {
    const threadId = await askedThread();
    const state = await server.client.threads.getState(threadId);
    const thread = await server.client.threads.get(threadId);
    const task = state.tasks[0];
    expect(thread.status).toBe("interrupted");
    expect(thread.values).toEqual(state.values);
    expect(thread.interrupts).toEqual({ [task?.id ?? ""]: task?.interrupts });
    expect(thread.metadata).toMatchObject({
      graph_id: "approval",
      assistant_id: (state.metadata as Record<string, unknown>)["assistant_id"],
    });
    expect(thread.metadata).not.toHaveProperty("trial");
  });

  test("a subgraph shows as a checkpoint, or with its state for those who ask", async () => {
    const threadId = await bookingThread();
    const { threads } = server.client;
    const [plain] = (await threads.getState(threadId)).tasks;
    expect(plain).toMatchObject({
      name: "booking",
      path: ["__pregel_pull", "booking"],
      checkpoint: {
        checkpoint_ns: `booking:${plain?.id}`,
        thread_id: threadId,
      },
      state: null,
    });
    const nested = await threads.getState(threadId, undefined, {
      subgraphs: true,
    });
    expect(nested.tasks[0]?.checkpoint).toBeNull();
    expect(nested.tasks[0]?.state).toMatchObject({
      values: { city: "Porto", train: "the 9:30 to Porto" },
      next: ["book"],
      tasks: [{ name: "book", path: ["__pregel_pull", "book"] }],
      checkpoint: { checkpoint_ns: `booking:${plain?.id}` },
    });
  });

  test("the state of a subgraph can be read by its namespace", async () => {
    const threadId = await bookingThread();
    const { threads } = server.client;
    const [task] = (await threads.getState(threadId)).tasks;
    const state = await threads.getState(threadId, {
      thread_id: NOBODY, // Only the path says which thread it is.
      checkpoint_ns: `booking:${task?.id}`,
    } as never);
    expect(state.values).toEqual({ city: "Porto", train: "the 9:30 to Porto" });
    expect(state.next).toEqual(["book"]);
    expect(state.checkpoint.thread_id).toBe(threadId);
  });

  test("every checkpoint can be read, by its id and as an object", async () => {
    const threadId = await askedThread();
    const { threads } = server.client;
    const history = await threads.getHistory(threadId);
    expect(history).toHaveLength(3);
    for (const past of history) {
      const id = past.checkpoint.checkpoint_id ?? "";
      const byId = await threads.getState(threadId, id);
      const byObject = await threads.getState(threadId, past.checkpoint);
      expect(byObject).toEqual(byId);
      for (const key of ["values", "next", "checkpoint", "metadata"] as const)
        expect([key, byId[key]]).toEqual([key, past[key]]);
    }
  });

  test("a checkpoint that does not exist is not found", async () => {
    const threadId = await askedThread();
    const { threads } = server.client;
    const unknown = "1ef00000-0000-6000-8000-000000000000";
    expect((await refusal(threads.getState(threadId, unknown))).status).toBe(
      404,
    );
    const object = {
      thread_id: threadId,
      checkpoint_ns: "",
      checkpoint_id: unknown,
    };
    const refused = await refusal(threads.getState(threadId, object as never));
    expect(refused.status).toBe(404);
    const malformed = await refusal(threads.getState(threadId, "latest"));
    expect(malformed.status).toBe(422);
  });

  test("select leaves only the named parts of a state", async () => {
    const threadId = await askedThread();
    const { threads } = server.client;
    const some = await threads.getState(threadId, undefined, {
      select: ["next", "values.to"],
    });
    expect(some).toEqual({ next: ["approve"], values: { to: "Ada" } });
    const { checkpoint } = await threads.getState(threadId);
    const posted = await threads.getState(threadId, checkpoint, {
      select: ["values"],
    });
    expect(posted).toEqual({ values: { to: "Ada", letter, log: ["written"] } });
  });
});

describe("updating", () => {
  let threadId: string;
  beforeAll(async () => {
    threadId = await askedThread();
  });

  test("an update as a node makes that node's successors next", async () => {
    const { threads } = server.client;
    const before = await threads.getState(threadId);
    const answer = await threads.updateState(threadId, {
      values: { letter: "Short.", log: ["rewritten"] },
      asNode: "write",
    });
    const after = await threads.getState(threadId);
    const { checkpoint_id } = after.checkpoint;
    expect(answer).toMatchObject({
      checkpoint: { thread_id: threadId, checkpoint_ns: "", checkpoint_id },
      configurable: { thread_id: threadId, checkpoint_ns: "", checkpoint_id },
      checkpoint_id,
    });
    expect(after).toMatchObject({
      values: { letter: "Short.", log: ["written", "rewritten"] },
      next: ["approve"],
      metadata: { source: "update", step: 2 },
      parent_checkpoint: { checkpoint_id: before.checkpoint.checkpoint_id },
    });
    const thread = await threads.get(threadId);
    expect(thread.values).toEqual(after.values);
    expect(thread.status).toBe("interrupted");
    // The question was asked by a task that this update has replaced.
    expect(thread.interrupts).toEqual({});
  });

  test("without a node the last one is meant", async () => {
    const { threads } = server.client;
    await threads.updateState(threadId, { values: { letter: "Shorter." } });
    const state = await threads.getState(threadId);
    expect(state.values).toMatchObject({ letter: "Shorter." });
    expect(state.next).toEqual(["approve"]);
  });

  test("an update as the end finishes the thread", async () => {
    const { threads } = server.client;
    await threads.updateState(threadId, {
      values: null as never,
      asNode: "__end__",
    });
    const state = await threads.getState(threadId);
    expect(state.next).toEqual([]);
    expect(state.values).toMatchObject({ letter: "Shorter." });
    expect(await threads.get(threadId)).toMatchObject({
      status: "idle",
      interrupts: {},
    });
  });

  test("a node that does not exist is refused by name, and nothing is stored", async () => {
    const { threads } = server.client;
    const before = await threads.getHistory(threadId, { limit: 100 });
    const refused = await refusal(
      threads.updateState(threadId, { values: { to: "x" }, asNode: "nowhere" }),
    );
    expect([400, 422]).toContain(refused.status);
    expect(refused.detail).toContain("nowhere");
    expect(await threads.getHistory(threadId, { limit: 100 })).toEqual(before);
  });
});

test("an update of an earlier checkpoint starts a branch", async () => {
  const { threads, runs } = server.client;
  const threadId = await askedThread();
  const history = await threads.getHistory(threadId);
  const written = history.find(({ next }) => next[0] === "write");
  await threads.updateState(threadId, {
    values: { to: "Bob" },
    checkpoint: written?.checkpoint as never,
    asNode: "__start__",
  });
  const branch = await threads.getState(threadId);
  expect(branch).toMatchObject({
    values: { to: "Bob", log: [] },
    next: ["write"],
    parent_checkpoint: { checkpoint_id: written?.checkpoint.checkpoint_id },
  });
  // The old branch is still there, the new one is the newest.
  expect(await threads.getHistory(threadId)).toHaveLength(history.length + 1);
  const values = await runs.wait(threadId, "approval", { input: null });
  expect(values).toMatchObject({
    to: "Bob",
    letter: "Dear Bob, please find the report attached.",
    log: ["written"],
  });
});

test("a run may start from an earlier checkpoint", async () => {
  const { threads, runs } = server.client;
  const threadId = await askedThread();
  await runs.wait(threadId, "approval", { command: { resume: "yes" } });
  const history = await threads.getHistory(threadId, { limit: 100 });
  const written = history.find(({ next }) => next[0] === "write");
  const again = await runs.wait(threadId, "approval", {
    input: null,
    checkpoint: { checkpoint_id: written?.checkpoint.checkpoint_id } as never,
  });
  expect(again).toMatchObject({
    log: ["written"],
    __interrupt__: [{ value: question }],
  });
  const branch = await threads.getHistory(threadId, { limit: 100 });
  expect(branch.length).toBeGreaterThan(history.length);
  expect(branch[0]?.next).toEqual(["approve"]);
  // The run after it goes on from the newest checkpoint, not from that one.
  const values = await runs.wait(threadId, "approval", {
    command: { resume: "no" },
  });
  expect(values).toMatchObject({
    approved: false,
    log: ["written", "refused"],
  });
  expect(await threads.get(threadId)).toMatchObject({ status: "idle", values });
});

test("the state of a waiting subgraph can be updated by its namespace", async () => {
  const { threads, runs } = server.client;
  const threadId = await bookingThread();
  const [task] = (await threads.getState(threadId)).tasks;
  const checkpoint_ns = `booking:${task?.id}`;
  const answer = (await threads.updateState(threadId, {
    values: { train: "the 7:15 to Porto" },
    checkpoint: { checkpoint_ns } as never,
    asNode: "search",
  })) as unknown as { checkpoint: unknown };
  expect(answer.checkpoint).toMatchObject({
    thread_id: threadId,
    checkpoint_ns,
  });
  const values = await runs.wait(threadId, "trip", {
    command: { resume: "aisle" },
  });
  expect(values).toEqual({
    wish: "a weekend in Porto",
    city: "Porto",
    booked: "aisle on the 7:15 to Porto",
    summary: "You are going to Porto: aisle on the 7:15 to Porto.",
  });
});

test("a thread that has no graph cannot be updated", async () => {
  const { threads } = server.client;
  const { thread_id } = await threads.create();
  const update = threads.updateState(thread_id, { values: { to: "Ada" } });
  expect(await refusal(update)).toEqual({
    status: 400,
    detail: `Thread ${thread_id} has no graph ID`,
  });
});

test("a thread that knows its graph can be updated before its first run", async () => {
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create({ graphId: "approval" });
  await threads.updateState(thread_id, {
    values: { to: "Ada" },
    asNode: "__start__",
  });
  expect((await threads.getState(thread_id)).next).toEqual(["write"]);
  const values = await runs.wait(thread_id, "approval", { input: null });
  expect(values).toMatchObject({ letter, log: ["written"] });
});

test("a busy thread refuses updates, also while its run only waits to start", async () => {
  const { threads, runs } = server.client;
  const threadId = await askedThread();
  const run = await runs.create(threadId, "approval", {
    command: { resume: "yes" },
    afterSeconds: 600,
  });
  const refused = await refusal(
    threads.updateState(threadId, { values: { letter: "x" } }),
  );
  expect(refused).toEqual({ status: 409, detail: "Thread is busy" });
  await runs.cancel(threadId, run.run_id, true);
  await threads.updateState(threadId, { values: { letter: "x" } });
});
