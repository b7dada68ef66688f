import { beforeAll, expect, test } from "vitest";
import { NOBODY, refusal } from "../support/sdk.ts";
import { useServer } from "../support/server.ts";

const server = useServer();

let threadId: string;
let checkpointIds: string[];

beforeAll(async () => {
  const { threads, runs } = server.client;
  threadId = (await threads.create()).thread_id;
  await runs.wait(threadId, "approval", {
    input: { to: "Ada" },
    metadata: { part: "question" },
  });
  await runs.wait(threadId, "approval", {
    command: { resume: "yes" },
    metadata: { part: "answer" },
  });
  const history = await threads.getHistory(threadId, { limit: 100 });
  checkpointIds = idsOf(history);
});

const idsOf = (
  history: { checkpoint: { checkpoint_id?: string | null | undefined } }[],
): string[] => history.map(({ checkpoint }) => checkpoint.checkpoint_id ?? "");

async function posted(body: object): Promise<string[]> {
  const answer = await server.send(
    "POST",
    `/threads/${threadId}/history`,
    body,
  );
  expect(answer.status).toBe(200);
  return idsOf((await answer.json()) as never);
}

async function got(query: string): Promise<string[]> {
  const answer = await server.fetch(`/threads/${threadId}/history${query}`);
  expect(answer.status).toBe(200);
  return idsOf((await answer.json()) as never);
}

test("history goes from the newest state to the first, each the child of the next", async () => {
  const history = await server.client.threads.getHistory(threadId);
  expect(history.map(({ next }) => next)).toEqual([
    [],
    ["send"],
    ["approve"],
    ["write"],
    ["__start__"],
  ]);
  expect(history.map(({ metadata }) => metadata?.step)).toEqual([
    3, 2, 1, 0, -1,
  ]);
  const parents = history.map(
    (state) => state.parent_checkpoint?.checkpoint_id,
  );
  expect(parents).toEqual([...checkpointIds.slice(1), undefined]);
  expect(history.at(-1)?.parent_checkpoint).toBeNull();
  expect(
    history.map(({ values }) => (values as { log: string[] }).log),
  ).toEqual([
    ["written", "approved", "sent"],
    ["written", "approved"],
    ["written"],
    [],
    [],
  ]);
});

test("finished tasks show their results", async () => {
  const history = await server.client.threads.getHistory(threadId);
  expect(history[1]?.tasks).toMatchObject([
    { name: "send", error: null, interrupts: [], result: { log: ["sent"] } },
  ]);
});

test("limit bounds the answer; without one a GET gives ten and a POST one", async () => {
  const { threads } = server.client;
  expect(await threads.getHistory(threadId, { limit: 2 })).toHaveLength(2);
  expect(await posted({})).toEqual(checkpointIds.slice(0, 1));
  expect(await got("")).toEqual(checkpointIds);
  expect(await got("?limit=3")).toEqual(checkpointIds.slice(0, 3));
  for (const limit of [0, 1001, "many"]) {
    const url = `/threads/${threadId}/history`;
    expect((await server.send("POST", url, { limit })).status).toBe(422);
    expect((await server.fetch(`${url}?limit=${limit}`)).status).toBe(422);
  }
});

test("before takes an id, a checkpoint and a config, and means strictly older", async () => {
  const checkpoint_id = checkpointIds[1] ?? "";
  const older = checkpointIds.slice(2);
  expect(await posted({ limit: 10, before: checkpoint_id })).toEqual(older);
  expect(await posted({ limit: 10, before: { checkpoint_id } })).toEqual(older);
  const config = { configurable: { checkpoint_id } };
  expect(await posted({ limit: 10, before: config })).toEqual(older);
  expect(await got(`?before=${checkpoint_id}`)).toEqual(older);
  const bySdk = await server.client.threads.getHistory(threadId, {
    before: config as never,
    limit: 2,
  });
  expect(idsOf(bySdk)).toEqual(older.slice(0, 2));
  const first = checkpointIds.at(-1);
  expect(await posted({ limit: 10, before: first })).toEqual([]);
});

test("metadata of the runs filters their checkpoints", async () => {
  const { threads } = server.client;
  const answers = await threads.getHistory(threadId, {
    metadata: { part: "answer" },
  });
  expect(idsOf(answers)).toEqual(checkpointIds.slice(0, 2));
  const inputs = await threads.getHistory(threadId, {
    metadata: { source: "input" },
  });
  expect(idsOf(inputs)).toEqual(checkpointIds.slice(-1));
  const none = await threads.getHistory(threadId, { metadata: { part: "x" } });
  expect(none).toEqual([]);
});

test("a checkpoint namespace selects the history of a subgraph", async () => {
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  await runs.wait(thread_id, "trip", { input: { wish: "a day in Faro" } });
  const [task] = (await threads.getState(thread_id)).tasks;
  const checkpoint_ns = `booking:${task?.id}`;
  const history = await threads.getHistory(thread_id, {
    checkpoint: { checkpoint_ns },
  });
  expect(history.map(({ next }) => next)).toEqual([
    ["book"],
    ["search"],
    ["__start__"],
  ]);
  for (const state of history)
    expect(state.checkpoint.checkpoint_ns).toBe(checkpoint_ns);
  const root = await threads.getHistory(thread_id);
  for (const state of root) expect(state.checkpoint.checkpoint_ns).toBe("");
});

test("select leaves only the named parts of every state", async () => {
  const history = await server.client.threads.getHistory(threadId, {
    limit: 2,
    select: ["next", "values.log"],
  });
  expect(history).toEqual([
    { next: [], values: { log: ["written", "approved", "sent"] } },
    { next: ["send"], values: { log: ["written", "approved"] } },
  ]);
});

test("a thread without runs has no history, one that does not exist is not found", async () => {
  const { threads } = server.client;
  const { thread_id } = await threads.create();
  expect(await threads.getHistory(thread_id)).toEqual([]);
  expect((await refusal(threads.getHistory(NOBODY))).status).toBe(404);
});
