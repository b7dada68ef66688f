/** Many answers to one question at the same time: what it asks for is done once. */
import { join } from "node:path";
import { expect, test } from "vitest";
import { readNotes } from "../support/diary.ts";
import { useServer } from "../support/server.ts";

const server = useServer();

const ANSWERS = 24;

interface Waiting {
  thread_id: string;
  file: string;
  /** The question's id. */
  id: string;
}

async function waiting(amounts: number[], name: string): Promise<Waiting> {
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  const file = join(server.directory, name);
  await runs.wait(thread_id, "payments", {
    input: { file, amounts, ms: 300 },
  });
  const [[question] = []] = Object.values(
    (await threads.get(thread_id)).interrupts,
  );
  return { thread_id, file, id: question?.id ?? "" };
}

/** The same run, so many times at once; gives their status, or why they were refused. */
async function answered(
  { thread_id }: Waiting,
  payload: Record<string, unknown>,
): Promise<string[]> {
  const { runs } = server.client;
  const outcomes = Array.from({ length: ANSWERS }, async () => {
    const response = await server.send("POST", `/threads/${thread_id}/runs`, {
      assistant_id: "payments",
      ...payload,
    });
    if (!response.ok) return String(response.status);
    const { run_id } = (await response.json()) as { run_id: string };
    await runs.join(thread_id, run_id);
    return (await runs.get(thread_id, run_id)).status;
  });
  return (await Promise.all(outcomes)).sort();
}

const made = ({ file }: Waiting) => readNotes(file).map(({ step }) => step);

const times = (count: number, status: string): string[] =>
  Array.from({ length: count }, () => status);

test("a value", async () => {
  const thread = await waiting([10], "value");
  expect(await answered(thread, { command: { resume: "yes" } })).toEqual(
    times(ANSWERS, "success"),
  );
  expect(made(thread)).toEqual(["pay 10"]);
  expect(await server.client.threads.get(thread.thread_id)).toMatchObject({
    status: "idle",
    values: { paid: [10] },
  });
});

test("by its id: the next question is not answered with it", async () => {
  const thread = await waiting([10, 20], "by-id");
  const command = { resume: { [thread.id]: "yes" } };
  expect(await answered(thread, { command })).toEqual(
    times(ANSWERS, "success"),
  );
  expect(made(thread)).toEqual(["pay 10"]);
  const { status, interrupts } = await server.client.threads.get(
    thread.thread_id,
  );
  expect(status).toBe("interrupted");
  expect(Object.values(interrupts)).toMatchObject([[{ value: "Pay 20?" }]]);
});

test("strictly: one is taken, and the others are told", async () => {
  const thread = await waiting([10, 20], "strict");
  const command = { resume: { [thread.id]: "yes" } };
  expect(await answered(thread, { command, strict_resume: true })).toEqual([
    ...times(ANSWERS - 1, "error"),
    "success",
  ]);
  expect(made(thread)).toEqual(["pay 10"]);
  expect(await server.client.threads.get(thread.thread_id)).toMatchObject({
    status: "interrupted",
    values: { paid: [10] },
  });
});

test("with reject: one is accepted", async () => {
  const thread = await waiting([10, 20], "reject");
  const payload = {
    command: { resume: "yes" },
    multitask_strategy: "reject",
  };
  expect(await answered(thread, payload)).toEqual([
    ...times(ANSWERS - 1, "409"),
    "success",
  ]);
  expect(made(thread)).toEqual(["pay 10"]);
});

test("with a new message of another caller between them", async () => {
  const thread = await waiting([10], "mixed");
  const { runs } = server.client;
  const others = Array.from({ length: 4 }, () =>
    runs.wait(thread.thread_id, "payments", { input: null }),
  );
  await answered(thread, { command: { resume: "yes" } });
  await Promise.all(others);
  expect(made(thread)).toEqual(["pay 10"]);
});
