import { expect, test } from "vitest";
import { collect, dataOf } from "../support/sdk.ts";
import { useServer } from "../support/server.ts";

const server = useServer();

interface Asked {
  __interrupt__: { id: string; value: unknown }[];
}

async function ask(graph: string, input: Record<string, unknown>) {
  const { thread_id } = await server.client.threads.create();
  const values = await server.client.runs.wait(thread_id, graph, { input });
  return { thread_id, questions: (values as unknown as Asked).__interrupt__ };
}

test("an interrupt ends its run with success, and its thread waits", async () => {
  const { thread_id, questions } = await ask("approval", { to: "Ada" });
  const { threads, runs } = server.client;
  expect(questions).toEqual([
    {
      id: expect.any(String),
      value: {
        question: "Send this letter?",
        letter: "Dear Ada, please find the report attached.",
      },
    },
  ]);
  const thread = await threads.get(thread_id);
  expect(thread.status).toBe("interrupted");
  expect(Object.values(thread.interrupts)).toEqual([questions]);
  expect(thread.values).not.toHaveProperty("__interrupt__");
  expect((await runs.list(thread_id))[0]?.status).toBe("success");
});

test.each(["exit", "async", "sync"] as const)(
  "with durability %s the thread shows the questions that its run has left",
  async (durability) => {
    const { threads, runs } = server.client;
    const { thread_id } = await threads.create();
    for (const graph of ["parallel-approvals", "trip"]) {
      const input = { amounts: [20, 300], wish: "a weekend in Porto" };
      const result = await runs.wait(thread_id, graph, { input, durability });
      const thread = await threads.get(thread_id);
      expect(thread.status).toBe("interrupted");
      const asked = Object.values(thread.interrupts).flat();
      expect(asked).toHaveLength(graph === "trip" ? 1 : 2);
      expect(result).toMatchObject({ __interrupt__: asked });
    }
  },
);

test("resume answers the question, and the thread is idle again", async () => {
  const { thread_id } = await ask("approval", { to: "Ada" });
  const { threads, runs } = server.client;
  const values = await runs.wait(thread_id, "approval", {
    command: { resume: "yes" },
  });
  expect(values).toEqual({
    to: "Ada",
    letter: "Dear Ada, please find the report attached.",
    approved: true,
    log: ["written", "approved", "sent"],
  });
  const thread = await threads.get(thread_id);
  expect(thread).toMatchObject({ status: "idle", interrupts: {}, values });
});

test("any JSON may be the answer", async () => {
  for (const [resume, log] of [
    [true, ["written", "approved", "sent"]],
    [false, ["written", "refused"]],
    [{ why: "not now" }, ["written", "refused"]],
    [0, ["written", "refused"]],
    ["", ["written", "refused"]],
  ]) {
    const { thread_id } = await ask("approval", { to: "Ada" });
    const values = await server.client.runs.wait(thread_id, "approval", {
      command: { resume },
    });
    expect([resume, values]).toMatchObject([resume, { log }]);
  }
});

test("several questions are answered by their ids, some at a time", async () => {
  const { thread_id, questions } = await ask("parallel-approvals", {
    amounts: [20, 300],
  });
  const { threads, runs } = server.client;
  expect(questions.map(({ value }) => value)).toEqual([
    { question: "Pay 20?", amount: 20 },
    { question: "Pay 300?", amount: 300 },
  ]);
  const [small, large] = questions.map(({ id }) => id) as [string, string];
  expect(Object.values((await threads.get(thread_id)).interrupts)).toHaveLength(
    2,
  );

  const half = await runs.wait(thread_id, "parallel-approvals", {
    command: { resume: { [large]: "no" } },
  });
  expect((half as unknown as Asked).__interrupt__).toEqual([questions[0]]);
  expect(Object.values((await threads.get(thread_id)).interrupts)).toEqual([
    [questions[0]],
  ]);
  expect((await threads.get(thread_id)).status).toBe("interrupted");

  const values = await runs.wait(thread_id, "parallel-approvals", {
    command: { resume: { [small]: "yes" } },
  });
  expect(values).toEqual({
    amounts: [20, 300],
    decisions: ["20: yes", "300: no"],
  });
  expect((await threads.get(thread_id)).status).toBe("idle");
});

test("all questions are answered by one map", async () => {
  const { thread_id, questions } = await ask("parallel-approvals", {
    amounts: [1, 2, 3],
  });
  const resume = Object.fromEntries(questions.map(({ id }, n) => [id, n]));
  const values = await server.client.runs.wait(
    thread_id,
    "parallel-approvals",
    { command: { resume } },
  );
  expect(values).toMatchObject({ decisions: ["1: 0", "2: 1", "3: 2"] });
});

test("an interrupt inside of a subgraph is asked at the root and answered there", async () => {
  const { thread_id, questions } = await ask("trip", {
    wish: "a weekend in Porto",
  });
  expect(questions.map(({ value }) => value)).toEqual([
    { question: "Which seat on the 9:30 to Porto?" },
  ]);
  const frames = await collect(
    server.client.runs.stream(thread_id, "trip", {
      command: { resume: "window seat" },
      streamMode: "updates",
    }),
  );
  expect(dataOf(frames, "updates").at(-1)).toEqual({
    summarize: {
      summary: "You are going to Porto: window seat on the 9:30 to Porto.",
    },
  });
});

test("a command can update the state and send the graph elsewhere", async () => {
  const { thread_id } = await ask("approval", { to: "Ada" });
  const values = await server.client.runs.wait(thread_id, "approval", {
    command: {
      update: { letter: "Overruled.", log: ["changed"] },
      goto: "send",
    },
  });
  expect(values).toMatchObject({ letter: "Overruled." });
  expect((values as { log: string[] }).log).toEqual(
    expect.arrayContaining(["written", "changed", "sent"]),
  );
});

test("one command answers by id and updates the state that the answer is used in", async () => {
  const { thread_id, questions } = await ask("approval", { to: "Ada" });
  const values = await server.client.runs.wait(thread_id, "approval", {
    command: {
      resume: { [questions[0]?.id ?? ""]: "yes" },
      update: { letter: "Short.", log: ["shortened"] },
    },
  });
  expect(values).toMatchObject({
    letter: "Short.",
    approved: true,
    log: ["written", "shortened", "approved", "sent"],
  });
});

test("a breakpoint in front of parallel branches stops before all of them", async () => {
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  const stopped = await runs.wait(thread_id, "parallel-approvals", {
    input: { amounts: [20, 300] },
    interruptBefore: ["ask"],
  });
  expect(stopped).not.toHaveProperty("__interrupt__");
  expect(await threads.getState(thread_id)).toMatchObject({
    next: ["ask", "ask"],
    tasks: [{ interrupts: [] }, { interrupts: [] }],
  });
  expect(await threads.get(thread_id)).toMatchObject({
    status: "interrupted",
    interrupts: {},
  });
  const asked = await runs.wait(thread_id, "parallel-approvals", {
    input: null,
  });
  expect((asked as unknown as Asked).__interrupt__).toHaveLength(2);
});

test("with a star the graph stops after every node, and goes on with nothing", async () => {
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  const interruptAfter = "*" as const;
  await runs.wait(thread_id, "fan-out", {
    input: { text: "a bc" },
    interruptAfter,
  });
  const stops = [(await threads.getState(thread_id)).next];
  while (stops.at(-1)?.length !== 0) {
    await runs.wait(thread_id, "fan-out", { input: null, interruptAfter });
    stops.push((await threads.getState(thread_id)).next);
  }
  expect(stops.length).toBeGreaterThan(1);
  expect(await threads.get(thread_id)).toMatchObject({
    status: "idle",
    values: { total: 3 },
  });
});

test("a question survives a restart of the server", async () => {
  const { thread_id, questions } = await ask("approval", { to: "Ada" });
  await server.kill9();
  await server.start();
  const { threads, runs } = server.client;
  const thread = await threads.get(thread_id);
  expect(Object.values(thread.interrupts)).toEqual([questions]);
  const values = await runs.wait(thread_id, "approval", {
    command: { resume: { [questions[0]?.id ?? ""]: "yes" } },
  });
  expect(values).toMatchObject({ log: ["written", "approved", "sent"] });
});
