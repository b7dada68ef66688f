/** Runs from any checkpoint: replay, fork, edit and go on, in the root graph and in subgraphs. */
import { expect, test } from "vitest";
import { collect, dataOf } from "../support/sdk.ts";
import { useServer } from "../support/server.ts";

const server = useServer();

type State = Awaited<
  ReturnType<typeof server.client.threads.getState<Record<string, unknown>>>
>;

async function history(thread_id: string): Promise<State[]> {
  return server.client.threads.getHistory(thread_id, { limit: 100 });
}

/** The state in which the thread waited for these nodes. */
async function before(thread_id: string, node: string): Promise<State> {
  const states = await history(thread_id);
  const found = states.findLast(({ next }) => next.includes(node));
  if (found === undefined) throw new Error(`the thread never came to ${node}`);
  return found;
}

const idOf = ({ checkpoint }: State): string => checkpoint.checkpoint_id ?? "";

/** A letter that was approved and sent. */
async function sentLetter(): Promise<string> {
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  await runs.wait(thread_id, "approval", { input: { to: "Ada" } });
  await runs.wait(thread_id, "approval", { command: { resume: "yes" } });
  return thread_id;
}

test("every checkpoint of a thread can be run from, and what came after it stays in the history", async () => {
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  const done = await runs.wait(thread_id, "fan-out", {
    input: { text: "a bc" },
  });
  const states = await history(thread_id);
  for (const state of states.filter(({ next }) => next.length > 0)) {
    const values = await runs.wait(thread_id, "fan-out", {
      input: null,
      checkpointId: idOf(state),
    });
    expect(values).toEqual(done);
  }
  const after = (await history(thread_id)).map(idOf);
  expect(after).toEqual(expect.arrayContaining(states.map(idOf)));
});

test("a question is asked again in a fork, and answered differently", async () => {
  const { threads, runs } = server.client;
  const thread_id = await sentLetter();
  const asked = await before(thread_id, "approve");
  const again = (await runs.wait(thread_id, "approval", {
    input: null,
    checkpointId: idOf(asked),
  })) as { __interrupt__?: unknown[] };
  expect(again.__interrupt__).toHaveLength(1);
  expect(await threads.get(thread_id)).toMatchObject({ status: "interrupted" });
  const refused = await runs.wait(thread_id, "approval", {
    command: { resume: "no" },
  });
  expect(refused).toMatchObject({
    approved: false,
    log: ["written", "refused"],
  });
  expect(await threads.get(thread_id)).toMatchObject({
    status: "idle",
    values: { approved: false },
  });
});

test("an answer to what was answered at that checkpoint changes nothing, as in LangGraph", async () => {
  const { runs } = server.client;
  const thread_id = await sentLetter();
  const asked = await before(thread_id, "approve");
  const values = await runs.wait(thread_id, "approval", {
    command: { resume: "no" },
    checkpointId: idOf(asked),
  });
  expect(values).toMatchObject({
    approved: true,
    log: ["written", "approved", "sent"],
  });
});

test("an earlier state is edited and gone on from", async () => {
  const { threads, runs } = server.client;
  const thread_id = await sentLetter();
  const asked = await before(thread_id, "approve");
  const fork = await threads.updateState(thread_id, {
    checkpoint: asked.checkpoint,
    values: { letter: "Dear Bob, never mind.", log: ["edited"] },
    asNode: "write",
  });
  const frames = await collect(
    runs.stream(thread_id, "approval", {
      input: null,
      checkpoint: (fork as unknown as { checkpoint: never }).checkpoint,
      streamMode: ["values", "updates"],
    }),
  );
  expect(dataOf(frames, "updates").at(-1)).toEqual({
    __interrupt__: [
      {
        id: expect.any(String),
        value: {
          question: "Send this letter?",
          letter: "Dear Bob, never mind.",
        },
      },
    ],
  });
  const values = await runs.wait(thread_id, "approval", {
    command: { resume: "yes" },
  });
  expect(values).toMatchObject({
    letter: "Dear Bob, never mind.",
    log: ["written", "edited", "approved", "sent"],
  });
  // What was there before the fork is still there.
  const states = await history(thread_id);
  expect(
    states.some(({ values }) => String(values["letter"]).includes("report")),
  ).toBe(true);
});

test("new input at an earlier checkpoint starts another branch from it", async () => {
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  const say = (content: string, checkpointId?: string) =>
    runs.wait(thread_id, "agent", {
      input: { messages: [{ role: "user", content }] },
      ...(checkpointId === undefined ? {} : { checkpointId }),
    }) as Promise<{ messages: { content: string }[] }>;
  const first = await say("Hello");
  const afterFirst = idOf(await threads.getState(thread_id));
  await say("And the second?");
  const branch = await say("Something else", afterFirst);
  const told = branch.messages.map(({ content }) => content);
  expect(told.slice(0, first.messages.length)).toEqual(
    first.messages.map(({ content }) => content),
  );
  expect(told).toContain("Something else");
  expect(told).not.toContain("And the second?");
  const head = await threads.getState(thread_id);
  expect((head.values as typeof branch).messages).toHaveLength(told.length);
  // The fork is nobody's later start: the next run goes on at the head.
  const next = await say("Go on");
  expect(next.messages.map(({ content }) => content)).toContain(
    "Something else",
  );
});

/** A trip that was booked, and the state of its subgraph while it asked. */
async function bookedTrip() {
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  await runs.wait(thread_id, "trip", { input: { wish: "to Porto" } });
  const asking = await threads.getState(thread_id, undefined, {
    subgraphs: true,
  });
  const inner = asking.tasks[0]?.state as State;
  await runs.wait(thread_id, "trip", { command: { resume: "window seat" } });
  return { thread_id, inner };
}

test("a run goes back to a checkpoint of a subgraph", async () => {
  const { threads, runs } = server.client;
  const { thread_id, inner } = await bookedTrip();
  expect(inner.next).toEqual(["book"]);
  const again = (await runs.wait(thread_id, "trip", {
    input: null,
    checkpoint: inner.checkpoint,
  })) as { __interrupt__?: unknown[] };
  expect(again.__interrupt__).toMatchObject([
    { value: { question: "Which seat on the 9:30 to Porto?" } },
  ]);
  const values = await runs.wait(thread_id, "trip", {
    command: { resume: "aisle seat" },
  });
  expect(values).toMatchObject({ booked: "aisle seat on the 9:30 to Porto" });
  expect(await threads.get(thread_id)).toMatchObject({
    status: "idle",
    values,
  });
});

test("a state of a subgraph is edited and gone on from", async () => {
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  await runs.wait(thread_id, "trip", { input: { wish: "to Porto" } });
  const asking = await threads.getState(thread_id, undefined, {
    subgraphs: true,
  });
  const inner = asking.tasks[0]?.state as State;
  await threads.updateState(thread_id, {
    checkpoint: inner.checkpoint,
    values: { train: "the 18:00 to Porto" },
    asNode: "search",
  });
  const again = (await runs.wait(thread_id, "trip", {
    input: null,
  })) as { __interrupt__?: unknown[] };
  expect(again.__interrupt__).toMatchObject([
    { value: { question: "Which seat on the 18:00 to Porto?" } },
  ]);
  const values = await runs.wait(thread_id, "trip", {
    command: { resume: "aisle seat" },
  });
  expect(values).toMatchObject({ booked: "aisle seat on the 18:00 to Porto" });
});

test("a checkpoint that is not there is refused, and nothing runs", async () => {
  const { threads, runs } = server.client;
  const thread_id = await sentLetter();
  const count = (await runs.list(thread_id)).length;
  await expect(
    runs.wait(thread_id, "approval", {
      input: null,
      checkpointId: "1f000000-0000-6000-8000-000000000000",
    }),
  ).rejects.toThrow(/^HTTP 404/);
  expect(await runs.list(thread_id)).toHaveLength(count);
  expect((await threads.get(thread_id)).status).toBe("idle");
});
