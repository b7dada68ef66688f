import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { refusal } from "../support/sdk.ts";
import { useServer } from "../support/server.ts";

const server = useServer();

const toAda = { values: { to: "Ada" } };

test("a thread can be born with a history", async () => {
  const { threads, runs } = server.client;
  const thread = await threads.create({
    graphId: "approval",
    supersteps: [
      { updates: [{ ...toAda, asNode: "__input__" }] },
      { updates: [{ ...toAda, asNode: "__start__" }] },
      {
        updates: [
          { values: { letter: "Hi", log: ["written"] }, asNode: "write" },
        ],
      },
      {
        updates: [
          { values: { approved: true, log: ["approved"] }, asNode: "approve" },
        ],
      },
    ],
  });
  const values = {
    to: "Ada",
    letter: "Hi",
    approved: true,
    log: ["written", "approved"],
  };
  expect(thread.values).toEqual(values);
  expect(thread.status).toBe("interrupted");

  const history = await threads.getHistory(thread.thread_id);
  expect(history.map(({ next }) => next)).toEqual([
    ["send"],
    ["approve"],
    ["write"],
    ["__start__"],
  ]);
  expect(
    history.map(({ metadata }) => [metadata?.source, metadata?.step]),
  ).toEqual([
    ["update", 2],
    ["update", 1],
    ["update", 0],
    ["input", -1],
  ]);
  expect(
    await runs.wait(thread.thread_id, "approval", { input: null }),
  ).toEqual({ ...values, log: ["written", "approved", "sent"] });
});

test("the updates of one superstep happen in the same step", async () => {
  const { threads } = server.client;
  const thread = await threads.create({
    graphId: "fan-out",
    supersteps: [
      { updates: [{ values: { text: "a bc" }, asNode: "__input__" }] },
      { updates: [{ values: { text: "a bc" }, asNode: "__start__" }] },
      {
        updates: [
          { values: { lengths: [1] }, asNode: "measure" },
          { values: { lengths: [2] }, asNode: "measure" },
        ],
      },
    ],
  });
  expect(thread.values).toEqual({ text: "a bc", lengths: [1, 2] });
  const state = await threads.getState(thread.thread_id);
  expect(state.next).toEqual(["sum"]);
  expect(await threads.getHistory(thread.thread_id)).toHaveLength(3);
});

test("a command in a superstep counts instead of values", async () => {
  const { threads } = server.client;
  const thread = await threads.create({
    graphId: "approval",
    supersteps: [
      { updates: [{ ...toAda, asNode: "__input__" }] },
      { updates: [{ ...toAda, asNode: "__start__" }] },
      {
        updates: [
          {
            values: { letter: "ignored" },
            command: { update: { letter: "from a command" } },
            asNode: "write",
          },
        ],
      },
    ],
  });
  expect(thread.values).toMatchObject({ letter: "from a command" });
});

test("supersteps that fail leave no thread behind, and say which and why", async () => {
  const { threads } = server.client;
  const threadId = randomUUID();
  const failed = await refusal(
    threads.create({
      threadId,
      graphId: "approval",
      supersteps: [
        { updates: [{ ...toAda, asNode: "__input__" }] },
        { updates: [{ ...toAda, asNode: "nowhere" }] },
      ],
    }),
  );
  expect([400, 422]).toContain(failed.status);
  expect(failed.detail).toContain("supersteps[1]");
  expect(failed.detail).toContain("nowhere");
  expect((await refusal(threads.get(threadId))).status).toBe(404);
});

test("supersteps need a graph that exists", async () => {
  const { threads } = server.client;
  const supersteps = [{ updates: [{ ...toAda, asNode: "__input__" }] }];
  const threadId = randomUUID();
  expect(await refusal(threads.create({ threadId, supersteps }))).toEqual({
    status: 400,
    detail: `Thread ${threadId} has no graph ID`,
  });
  const unknown = await refusal(
    threads.create({ threadId, supersteps, graphId: "nothing" }),
  );
  expect(unknown.status).toBe(404);
  expect(unknown.detail).toContain("nothing");
  expect((await refusal(threads.get(threadId))).status).toBe(404);
});
