import { expect, test } from "vitest";
import { collect, refusal } from "../support/sdk.ts";
import { useServer } from "../support/server.ts";
import { waitFor } from "../support/wait.ts";

const server = useServer();

const slow = { input: { steps: 2, seconds: 0.2 } };

test("runs of one thread queue up and run one after the other, in order", async () => {
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  const say = (content: string) =>
    runs.create(thread_id, "agent", {
      input: { messages: [{ role: "user", content }] },
    });
  const created = [];
  for (const word of ["one", "two", "three", "four"])
    created.push(await say(word));
  for (const { run_id } of created) await runs.join(thread_id, run_id);
  const { values } = await threads.getState<{
    messages: { content: string }[];
  }>(thread_id);
  const said = (word: string, n: number) =>
    `You said "${word}". That was message ${n} from you in this thread.`;
  expect(values.messages.map(({ content }) => content)).toEqual([
    "one",
    said("one", 1),
    "two",
    said("two", 2),
    "three",
    said("three", 3),
    "four",
    said("four", 4),
  ]);
});

test("never do two runs of a thread run at the same time", async () => {
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  const ids: string[] = [];
  for (let n = 0; n < 4; n += 1)
    ids.push((await runs.create(thread_id, "slow", slow)).run_id);
  const seen = new Set<string>();
  await waitFor("all runs have ended", async () => {
    const rows = await runs.list(thread_id);
    const running = rows.filter(({ status }) => status === "running");
    expect(running.length).toBeLessThanOrEqual(1);
    for (const { run_id } of running) seen.add(run_id);
    return rows.every(({ status }) => status === "success");
  });
  expect([...seen]).toEqual(ids.filter((id) => seen.has(id)));
  expect((await threads.get(thread_id)).status).toBe("idle");
});

test("a thread with more to do stays busy between its runs", async () => {
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  const first = await runs.create(thread_id, "slow", slow);
  const second = await runs.create(thread_id, "slow", slow);
  await runs.join(thread_id, first.run_id);
  expect((await threads.get(thread_id)).status).toBe("busy");
  await runs.join(thread_id, second.run_id);
  expect((await threads.get(thread_id)).status).toBe("idle");
});

test("a run behind one that fails starts all the same", async () => {
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  const failing = await runs.create(thread_id, "failing", {
    input: { item: "lamp", stock: 0 },
  });
  const next = await runs.create(thread_id, "failing", {
    input: { item: "lamp", stock: 1 },
  });
  expect(await runs.join(thread_id, next.run_id)).toMatchObject({
    receipt: "1 lamp, 40 euros",
  });
  expect((await runs.get(thread_id, failing.run_id)).status).toBe("error");
  expect(await threads.get(thread_id)).toMatchObject({ status: "idle" });
});

test("reject refuses a second run and leaves no trace of it", async () => {
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  const first = await runs.create(thread_id, "slow", slow);
  const busy = {
    status: 409,
    detail:
      "Thread is already running a task. Wait for it to finish or choose a different multitask strategy.",
  };
  const second = { ...slow, multitaskStrategy: "reject" } as const;
  expect(await refusal(runs.create(thread_id, "slow", second))).toEqual(busy);
  expect(await refusal(runs.wait(thread_id, "slow", second))).toEqual(busy);
  expect(await runs.list(thread_id)).toHaveLength(1);
  await runs.join(thread_id, first.run_id);
  const values = await runs.wait(thread_id, "slow", second);
  expect(values).toMatchObject({ steps: 2 });
});

test("a run that is rolled back by the next one is gone, and who waits for it is told", async () => {
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  await runs.wait(thread_id, "fan-out", { input: { text: "a bc" } });
  const before = await threads.get(thread_id);
  const long = { input: { steps: 100, seconds: 0.1 } };
  const first = await runs.create(thread_id, "slow", long);
  const behind = await runs.create(thread_id, "slow", long);
  const joined = [first, behind].map(({ run_id }) =>
    runs.join(thread_id, run_id),
  );
  const streamed = [first, behind].map(({ run_id }) =>
    collect(runs.joinStream(thread_id, run_id)),
  );
  const ofThread: string[] = [];
  const leave = new AbortController();
  const following = (async () => {
    const { signal } = leave;
    for await (const frame of threads.joinStream(thread_id, { signal }))
      ofThread.push(JSON.stringify(frame));
  })().catch(() => {}); // it was left
  await waitFor("the first run has done a step", async () => {
    const { values } = await threads.getState<{ done?: number[] }>(thread_id);
    return values.done?.length;
  });
  const last = await runs.create(thread_id, "fan-out", {
    input: { text: "x" },
    multitaskStrategy: "rollback",
  });
  for (const values of await Promise.all(joined))
    expect(values).toMatchObject({ __error__: { error: "RunDeletedError" } });
  for (const frames of await Promise.all(streamed))
    expect(frames.at(-1)).toMatchObject({
      event: "end",
      data: { status: "interrupted" },
    });
  expect(await runs.join(thread_id, last.run_id)).toMatchObject({ text: "x" });
  for (const { run_id } of [first, behind])
    expect(await refusal(runs.get(thread_id, run_id))).toMatchObject({
      status: 404,
    });
  const after = await threads.get(thread_id);
  expect(after.metadata).toEqual(before.metadata);
  expect(after.values).not.toHaveProperty("done");
  // The stream of the thread has gone on past them.
  await waitFor("the last run is seen there", () =>
    ofThread.some((frame) => frame.includes(last.run_id)),
  );
  leave.abort();
  await following;
});

test("a hundred threads are served at once, each with its own result", async () => {
  const { threads, runs } = server.client;
  const answers = await Promise.all(
    Array.from({ length: 100 }, async (_, n) => {
      const { thread_id } = await threads.create();
      const text = "x".repeat(n + 1);
      const values = await runs.wait(thread_id, "fan-out", { input: { text } });
      return (values as { total: number }).total;
    }),
  );
  expect(answers).toEqual(Array.from({ length: 100 }, (_, n) => n + 1));
});
