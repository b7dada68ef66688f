import { expect, test } from "vitest";
import { NOBODY } from "../../../support/sdk.ts";
import { eventually, expectRefused, type Driven } from "./driven.ts";
import { execute, executed, WAYS, type RunOptions } from "./run-ways.ts";

const text = "a bc";
const total = { text, lengths: [1, 2], total: 3 };

/** What only some of the three take, and what only some servers could do more with. */
export function specialRunOptionSuite(driven: Driven): void {
  test("wait: raiseError decides whether a failed run throws", async () => {
    const input = { item: "lamp", stock: 0 };
    const wait = (options: RunOptions) =>
      executed(driven, { way: "wait", graph: "failing", options });
    await expect(wait({ input })).rejects.toThrow(
      "OutOfStockError: No lamp left",
    );
    const { values } = await wait({ input, raiseError: false });
    expect(values).toEqual({
      __error__: { error: "OutOfStockError", message: "No lamp left" },
    });
  });

  test.each(["wait", "stream"] as const)(
    "%s: onDisconnect decides whether the run outlives its caller",
    async (way) => {
      const { threads, runs } = driven.client;
      const statusAfterLeaving = async (
        onDisconnect: "cancel" | "continue",
      ) => {
        const { thread_id: threadId } = await threads.create();
        const leave = new AbortController();
        const signal = leave.signal;
        // What is to be cancelled would not end by itself while the test is on.
        const seconds = onDisconnect === "cancel" ? 30 : 0.2;
        const input = { steps: 4, seconds };
        const options = { input, onDisconnect, signal };
        const waited = execute(driven, {
          way,
          threadId,
          graph: "slow",
          options,
        }).catch((error: unknown) => error);
        await eventually(
          async () => (await threads.getState(threadId)).values,
        ).toMatchObject({ steps: 4 });
        leave.abort();
        await waited;
        const [run] = await runs.list(threadId);
        const run_id = run?.run_id ?? "";
        await runs.join(threadId, run_id);
        return (await runs.get(threadId, run_id)).status;
      };
      expect(await statusAfterLeaving("cancel")).toBe("interrupted");
      expect(await statusAfterLeaving("continue")).toBe("success");
    },
  );

  test.each(["create", "wait"] as const)(
    "%s: the project of a LangSmith tracer is kept, and without a key ignored",
    async (way) => {
      const _langsmithTracer = { projectName: "p", exampleId: "e" } as never;
      const options = { input: { text }, _langsmithTracer };
      const { values, run } = await executed(driven, {
        way,
        graph: "fan-out",
        options,
      });
      expect(values).toEqual(total);
      expect(run.kwargs.config.configurable).toMatchObject({
        langsmith_project: "p",
        langsmith_example_id: "e",
      });
    },
  );

  test.each(WAYS)("%s: without a thread", async (way) => {
    const { threads, runs } = driven.client;
    const input = { text };
    const run = (options: RunOptions) =>
      execute(driven, { way, threadId: null, graph: "fan-out", options });
    const before = await threads.count();
    if (way === "create") {
      const { thread_id, run_id } = await runs.create(null, "slow", {
        input: { steps: 1, seconds: 0.5 },
      });
      await runs.join(thread_id, run_id);
      await eventually(() => threads.get(thread_id).catch(() => "gone")).toBe(
        "gone",
      );
    } else expect(await run({ input })).toEqual(total);
    expect(await threads.count()).toBe(before);
    const kept = { input, onCompletion: "continue" as const };
    if (way !== "create" || driven.isNewest) {
      expect(await run(kept)).toEqual(total);
      expect(await threads.count()).toBe(before + 1);
    }
    await expectRefused(
      execute(driven, { way, threadId: null, graph: NOBODY, options: {} }),
      404,
      /^No assistant found/,
    );
  });
}

/** What only 1.15.0 has. */
export function newerRunOptionSuite(driven: Driven): void {
  test.each(WAYS)("%s: strictResume refuses unknown answers", async (way) => {
    const { threads, runs } = driven.client;
    const { threadId } = await executed(driven, {
      way,
      graph: "approval",
      options: { input: { to: "Ada" } },
    });
    const waiting = await threads.get(threadId);
    const strictResume = true;
    const execution = { way, threadId, graph: "approval" };
    const wrong = execute(driven, {
      ...execution,
      options: {
        command: { resume: { ["0".repeat(32)]: "yes" } },
        strictResume,
      },
    });
    if (way === "wait")
      await expect(wrong).rejects.toThrow("UnknownInterruptError");
    else await wrong;
    expect((await runs.list(threadId, { limit: 1 }))[0]?.status).toBe("error");
    expect((await threads.getState(threadId)).next).toEqual(["approve"]);
    const [[interrupt] = []] = Object.values(waiting.interrupts);
    await execute(driven, {
      ...execution,
      options: {
        command: { resume: { [interrupt?.id ?? ""]: "yes" } },
        strictResume,
      },
    });
    expect((await threads.getState(threadId)).next).toEqual([]);
  });
}
