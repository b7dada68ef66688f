import { describe, expect, test } from "vitest";
import { NOBODY } from "../../../support/sdk.ts";
import {
  expectAborted,
  expectRefused,
  type Driven,
  eventually,
} from "./driven.ts";

const input = { text: "a bc" };

/** R2, R5, R6, R7, R9: runs that are there. */
export function runSuite(driven: Driven): void {
  const pendingRun = async () => {
    const { threads, runs } = driven.client;
    const { thread_id } = await threads.create();
    const afterSeconds = 600;
    return runs.create(thread_id, "fan-out", { input, afterSeconds });
  };

  const runningRun = async (steps = 100) => {
    const { threads, runs } = driven.client;
    const { thread_id } = await threads.create();
    const run = await runs.create(thread_id, "slow", {
      input: { steps, seconds: 0.1 },
    });
    await eventually(
      async () => (await threads.getState(thread_id)).next,
    ).toEqual(["work"]);
    return run;
  };

  describe("runs", () => {
    test("list and get", async () => {
      const { runs } = driven.client;
      const { thread_id, run_id } = await pendingRun();
      const run = await runs.get(thread_id, run_id);
      expect(run).toMatchObject({ thread_id, run_id, status: "pending" });
      const second = await runs.create(thread_id, "fan-out", { input });
      const ids = async (options?: Parameters<typeof runs.list>[1]) =>
        (await runs.list(thread_id, options)).map((one) => one.run_id);
      expect(await ids()).toEqual([second.run_id, run_id]);
      expect(await ids({ limit: 1 })).toEqual([second.run_id]);
      expect(await ids({ limit: 1, offset: 1 })).toEqual([run_id]);
      expect(await ids({ status: "timeout" as never })).toEqual([]);
      const select = ["run_id", "status"] as never;
      expect(await runs.list(thread_id, { select, offset: 1 })).toEqual([
        { run_id, status: "pending" },
      ]);
      await expectRefused(runs.list(NOBODY), 404);
      await expectRefused(runs.list(thread_id, { limit: 0 }), 422, /^limit: /);
      await expectRefused(runs.get(thread_id, NOBODY), 404, "Run not found");
      await expectRefused(runs.get(thread_id, "x"), 422, /^run_id: /);
      await expectAborted((options) => runs.list(thread_id, options));
      await expectAborted((options) => runs.get(thread_id, run_id, options));
    });

    test("join", async () => {
      const { threads, runs } = driven.client;
      const { thread_id } = await threads.create();
      const { run_id } = await runs.create(thread_id, "fan-out", { input });
      expect(await runs.join(thread_id, run_id)).toMatchObject({ total: 3 });
      expect(await runs.join(thread_id, run_id)).toMatchObject({ total: 3 });
      const failed = await runs.create(thread_id, "failing", {
        input: { item: "lamp", stock: 0 },
      });
      expect(await runs.join(thread_id, failed.run_id)).toMatchObject({
        __error__: { error: "OutOfStockError" },
      });
      await expectRefused(runs.join(thread_id, NOBODY), 404, "Run not found");
      await expectAborted((options) => runs.join(thread_id, run_id, options));
    });

    test("cancel", async () => {
      const { runs } = driven.client;
      const { thread_id, run_id } = await runningRun();
      expect(await runs.cancel(thread_id, run_id, true)).toBeUndefined();
      const status = async (run: { thread_id: string; run_id: string }) =>
        (await runs.get(run.thread_id, run.run_id)).status;
      expect(await status({ thread_id, run_id })).toBe("interrupted");
      await expectRefused(runs.cancel(thread_id, run_id), 409, /interrupted/);

      const other = await runningRun();
      await runs.cancel(other.thread_id, other.run_id);
      await eventually(() => status(other)).toBe("interrupted");

      const last = await runningRun();
      const at = [last.thread_id, last.run_id] as const;
      await runs.cancel(...at, true, "interrupt");
      await expectRefused(runs.cancel(thread_id, NOBODY), 404, "Run not found");
      await expectAborted((options) =>
        runs.cancel(...at, false, "interrupt", options),
      );
    });

    test("cancel with rollback leaves nothing of the run", async () => {
      const { threads, runs } = driven.client;
      const { thread_id, run_id } = await runningRun();
      await runs.cancel(thread_id, run_id, true, "rollback");
      await expectRefused(runs.get(thread_id, run_id), 404, "Run not found");
      expect(await threads.getHistory(thread_id)).toEqual([]);
      expect(await threads.get(thread_id)).toMatchObject({ status: "idle" });
      const other = await runningRun();
      await runs.cancel(other.thread_id, other.run_id, false, "rollback");
      await eventually(() => runs.list(other.thread_id)).toEqual([]);
    });

    test("createBatch", async () => {
      const { threads, runs } = driven.client;
      const payloads = ["a", "b c"].map((text) => ({
        assistantId: "fan-out",
        input: { text },
        metadata: { text },
        streamMode: "updates" as const,
        onCompletion: "keep" as never,
      }));
      const made = await runs.createBatch(payloads);
      expect(made.map(({ metadata }) => metadata?.["text"])).toEqual(["a", "b c"]); // prettier-ignore
      const ended = await Promise.all(
        made.map((run) => runs.join(run.thread_id, run.run_id)),
      );
      expect(ended).toMatchObject([{ total: 1 }, { total: 2 }]);
      const [first] = made as unknown as { kwargs: object }[];
      expect(first?.kwargs).toMatchObject({ stream_mode: ["updates"] });
      expect((await threads.get(made[0]?.thread_id ?? "")).status).toBe("idle");
      const before = await threads.count();
      const wrong = [...payloads, { assistantId: NOBODY }];
      await expectRefused(runs.createBatch(wrong), 404, /^No assistant found/);
      expect(await threads.count()).toBe(before);
      await expectAborted((options) => runs.createBatch(payloads, options));
    });

    test("delete", async () => {
      const { runs } = driven.client;
      const { thread_id, run_id } = await pendingRun();
      await expectRefused(runs.delete(thread_id, run_id), 409);
      await runs.cancel(thread_id, run_id, true);
      expect(await runs.delete(thread_id, run_id)).toBeUndefined();
      await expectRefused(runs.delete(thread_id, run_id), 404, "Run not found");
      await expectAborted((options) => runs.delete(thread_id, NOBODY, options));
    });
  });

  if (!driven.isNewest) return;

  test("cancelMany", async () => {
    const { threads, runs } = driven.client;
    const { thread_id: threadId } = await threads.create();
    const runIds: string[] = [];
    for (let n = 0; n < 3; n += 1) {
      const options = { input, afterSeconds: 600 };
      runIds.push((await runs.create(threadId, "fan-out", options)).run_id);
    }
    const statuses = async () =>
      (await runs.list(threadId)).map(({ status }) => status).reverse();
    const [first = "", second = ""] = runIds;
    expect(
      await runs.cancelMany({ threadId, runIds: [first] }),
    ).toBeUndefined();
    expect(await statuses()).toEqual(["interrupted", "pending", "pending"]);
    await runs.cancelMany({ threadId, runIds: [second], action: "rollback" });
    expect(await statuses()).toEqual(["interrupted", "pending"]);
    await runs.cancelMany({ status: "pending", action: "interrupt" });
    expect(await statuses()).toEqual(["interrupted", "interrupted"]);
    const running = await runningRun();
    await runs.cancelMany({ status: "all" });
    await eventually(
      async () => (await runs.get(running.thread_id, running.run_id)).status,
    ).toBe("interrupted");
    await expectRefused(
      runs.cancelMany({ threadId, runIds: [second] }),
      404,
      `Run not found: ${second}`,
    );
    await expectRefused(
      runs.cancelMany({ status: "all", threadId } as never),
      422,
      /^status: cannot go together/,
    );
    await expectAborted((options) =>
      runs.cancelMany({ status: "all", ...options }),
    );
  });

  test("cancel with a reason keeps it", async () => {
    const { runs } = driven.client;
    const { thread_id, run_id } = await runningRun();
    await runs.cancel(thread_id, run_id, true, "interrupt", {
      reason: "taken",
    });
    expect(await runs.get(thread_id, run_id)).toMatchObject({
      cancel_reason: expect.stringMatching(/^taken:/),
    });
  });

  test("join with cancelOnDisconnect ends the run when its caller leaves", async () => {
    const { runs } = driven.client;
    const { thread_id, run_id } = await runningRun();
    const leave = new AbortController();
    const joined = runs
      .join(thread_id, run_id, {
        cancelOnDisconnect: true,
        signal: leave.signal,
      })
      .catch((error: unknown) => error);
    // The request must have arrived before it can be given up.
    await runs.get(thread_id, run_id);
    leave.abort();
    expect(await joined).toBeInstanceOf(Error);
    await eventually(
      async () => (await runs.get(thread_id, run_id)).status,
    ).toBe("interrupted");
    const other = await runningRun(2);
    expect(
      await runs.join(other.thread_id, other.run_id, {
        cancelOnDisconnect: true,
      }),
    ).toMatchObject({ done: [1, 2] });
  });
}
