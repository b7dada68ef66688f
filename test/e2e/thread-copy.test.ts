import { expect, test } from "vitest";
import { NOBODY, refusal } from "../support/sdk.ts";
import { useServer } from "../support/server.ts";

const server = useServer();

/** Both histories without what must differ between them. */
const withoutThreadIds = (history: unknown): unknown =>
  JSON.parse(
    JSON.stringify(history, (key, value: unknown) =>
      key === "thread_id" ? undefined : value,
    ),
  );

test("a copy has the same history, checkpoint by checkpoint, under its own id", async () => {
  const { threads, runs } = server.client;
  const source = await threads.create({ metadata: { kind: "source" } });
  await runs.wait(source.thread_id, "trip", {
    input: { wish: "a weekend in Porto" },
  });
  const copy = await threads.copy(source.thread_id);
  expect(copy.thread_id).not.toBe(source.thread_id);
  expect(copy.metadata).toMatchObject({ kind: "source", graph_id: "trip" });

  const [before, after] = await Promise.all([
    threads.getHistory(source.thread_id),
    threads.getHistory(copy.thread_id),
  ]);
  expect(before.length).toBeGreaterThan(2);
  expect(withoutThreadIds(after)).toEqual(withoutThreadIds(before));
  for (const state of after)
    expect(state.checkpoint.thread_id).toBe(copy.thread_id);

  const state = await threads.getState(copy.thread_id);
  expect(copy.values).toEqual(state.values);
  expect(await runs.list(copy.thread_id)).toEqual([]);
});

test("source and copy go their own ways", async () => {
  const { threads, runs } = server.client;
  const source = await threads.create();
  await runs.wait(source.thread_id, "approval", { input: { to: "Ada" } });
  const copy = await threads.copy(source.thread_id);
  await runs.wait(copy.thread_id, "approval", { command: { resume: "yes" } });
  await runs.wait(source.thread_id, "approval", { command: { resume: "no" } });
  const logOf = async (id: string) =>
    ((await threads.getState(id)).values as { log: string[] }).log;
  expect(await logOf(copy.thread_id)).toEqual(["written", "approved", "sent"]);
  expect(await logOf(source.thread_id)).toEqual(["written", "refused"]);
  await threads.delete(source.thread_id);
  expect(await logOf(copy.thread_id)).toEqual(["written", "approved", "sent"]);
});

test("a copy of an interrupted subgraph can be resumed", async () => {
  const { threads, runs } = server.client;
  const source = await threads.create();
  await runs.wait(source.thread_id, "trip", {
    input: { wish: "a weekend in Porto" },
  });
  const copy = await threads.copy(source.thread_id);
  const values = await runs.wait(copy.thread_id, "trip", {
    command: { resume: "aisle" },
  });
  expect(values).toMatchObject({ booked: "aisle on the 9:30 to Porto" });
});

test("a thread that does not exist cannot be copied", async () => {
  expect(await refusal(server.client.threads.copy(NOBODY))).toEqual({
    status: 409,
    detail: "Thread not found",
  });
});
