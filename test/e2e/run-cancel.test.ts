import { expect, test } from "vitest";
import { collect, refusal } from "../support/sdk.ts";
import { useServer } from "../support/server.ts";
import { waitFor } from "../support/wait.ts";

const server = useServer();

async function startedRun(input: Record<string, unknown>) {
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  const { run_id } = await runs.create(thread_id, "slow", { input });
  await waitFor("the first step is done", async () => {
    const { values } = await threads.getState<{ done?: number[] }>(thread_id);
    return values.done?.length;
  });
  return { thread_id, run_id };
}

test("a cancel takes effect at once, and what was done is kept", async () => {
  const { threads, runs } = server.client;
  const { thread_id, run_id } = await startedRun({ steps: 60, seconds: 0.5 });
  const start = Date.now();
  await runs.cancel(thread_id, run_id, true);
  expect(Date.now() - start).toBeLessThan(3000);
  expect((await runs.get(thread_id, run_id)).status).toBe("interrupted");
  const state = await threads.getState<{ done: number[] }>(thread_id);
  expect(state.values.done[0]).toBe(1);
  expect(state.next).toEqual(["work"]);
  expect(await threads.get(thread_id)).toMatchObject({
    status: "interrupted",
    values: state.values,
  });
  // And the thread can be taken up where it was left.
  const done = state.values.done.length;
  await threads.updateState(thread_id, {
    values: { steps: done + 1, seconds: 0 },
  });
  const values = await runs.wait(thread_id, "slow", { input: null });
  expect((values as { done: number[] }).done.length).toBeGreaterThanOrEqual(
    done,
  );
});

test("a cancel that does not wait is answered with 202 and nothing", async () => {
  const { runs } = server.client;
  const { thread_id, run_id } = await startedRun({ steps: 60, seconds: 0.5 });
  const path = `/threads/${thread_id}/runs/${run_id}/cancel`;
  const answer = await server.send("POST", `${path}?wait=0&action=interrupt`);
  expect([answer.status, await answer.text()]).toEqual([202, ""]);
  await waitFor("the run is cancelled", async () => {
    const { status } = await runs.get(thread_id, run_id);
    return status === "interrupted";
  });
});

test("a stream whose run is cancelled ends and says so", async () => {
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  let cancelled: Promise<void> | undefined;
  const stream = runs.stream(thread_id, "slow", {
    input: { steps: 60, seconds: 0.5 },
    streamMode: ["custom"],
    onRunCreated: ({ run_id }) => {
      cancelled = waitFor("the run runs", async () => {
        const { status } = await runs.get(thread_id, run_id);
        return status === "running";
      }).then(() => runs.cancel(thread_id, run_id, true));
    },
  });
  const frames = await collect(stream);
  await cancelled;
  expect(frames.at(-1)).toMatchObject({
    event: "end",
    data: { status: "interrupted" },
  });
});

test("a run that has not started is cancelled without ever starting", async () => {
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  const { run_id } = await runs.create(thread_id, "slow", {
    input: { steps: 1, seconds: 0 },
    afterSeconds: 600,
  });
  await runs.cancel(thread_id, run_id, true);
  expect((await runs.get(thread_id, run_id)).status).toBe("interrupted");
  expect((await threads.get(thread_id)).status).toBe("idle");
  expect(await threads.getHistory(thread_id)).toEqual([]);
});

test("cancelling the running run gives the next one its turn", async () => {
  const { threads, runs } = server.client;
  const { thread_id, run_id } = await startedRun({ steps: 60, seconds: 0.5 });
  const next = await runs.create(thread_id, "fan-out", {
    input: { text: "a bc" },
  });
  await runs.cancel(thread_id, run_id);
  expect(await runs.join(thread_id, next.run_id)).toMatchObject({ total: 3 });
  expect(await threads.get(thread_id)).toMatchObject({ status: "idle" });
});

test("a run that has ended cannot be cancelled, and its status is named", async () => {
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  await runs.wait(thread_id, "fan-out", { input: { text: "a" } });
  const [run] = await runs.list(thread_id);
  const refused = await refusal(runs.cancel(thread_id, run?.run_id ?? ""));
  expect(refused.status).toBe(409);
  expect(refused.detail).toContain("success");
});
