import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import { NOBODY } from "../../../support/sdk.ts";
import { waitFor } from "../../../support/wait.ts";
import { expectAborted, expectRefused, type Driven } from "./driven.ts";
import { execute, executed, WAYS, type RunOptions } from "./run-ways.ts";

const text = "a bc";
const total = { text, lengths: [1, 2], total: 3 };

/** Each option of R1, R3 and R4, by each of the three methods that take them. */
export function runOptionSuite(driven: Driven): void {
  describe.each(WAYS)("runs.%s", (way) => {
    const run = (graph: string, options: RunOptions) =>
      executed(driven, { way, graph, options });
    const runOn = (threadId: string, graph: string, options: RunOptions) =>
      execute(driven, { way, threadId, graph, options });

    test("keeps what it was given, and answers the last values", async () => {
      let created: { run_id: string } | undefined;
      const { values, run: kept } = await run("fan-out", {
        input: { text },
        metadata: { m: 1 },
        config: {
          tags: ["t"],
          recursion_limit: 30,
          configurable: { who: "me" },
        },
        durability: "sync",
        afterSeconds: 0.05,
        webhook: `${driven.server.url}/ok`,
        onRunCreated: (one) => (created = one),
      });
      expect(values).toEqual(total);
      expect(kept).toMatchObject({
        run_id: created?.run_id,
        status: "success",
        metadata: { m: 1 },
        kwargs: {
          input: { text },
          config: {
            tags: ["t"],
            recursion_limit: 30,
            configurable: { who: "me" },
          },
          webhook: `${driven.server.url}/ok`,
        },
      });
      const deliveries = `/webhooks/deliveries?run_id=${created?.run_id}`;
      await waitFor("its webhook was called", async () => {
        const answer = await driven.server.fetch(deliveries);
        const [delivery] = (await answer.json()) as object[];
        return (delivery as { response_status: number }).response_status;
      });
      const context = { tone: "kind" };
      const other = await run("fan-out", { input: { text }, context });
      expect(other.run.kwargs["context"]).toEqual(context);
    });

    test("its configuration reaches the graph", async () => {
      const options = {
        input: { question: "?" },
        config: { configurable: { user_id: randomUUID() } },
      };
      const fact = { ...options, input: { fact: "likes tea" } };
      expect((await run("memory", fact)).values).toMatchObject({
        answer: "likes tea",
      });
      expect((await run("memory", options)).values).toMatchObject({
        answer: "likes tea",
      });
      const { values } = await run("memory", { input: { question: "?" } });
      expect(values).toMatchObject({ answer: "Nothing yet." });
    });

    test("interruptBefore, interruptAfter, command", async () => {
      const { threads } = driven.client;
      const input = { to: "Ada" };
      const { threadId } = await run("approval", {
        input,
        interruptAfter: ["write"],
      });
      const next = async () => (await threads.getState(threadId)).next;
      expect(await threads.get(threadId)).toMatchObject({
        status: "interrupted",
        interrupts: {},
      });
      await runOn(threadId, "approval", { input: null });
      const resume = { command: { resume: "yes" } };
      await runOn(threadId, "approval", {
        ...resume,
        interruptBefore: ["send"],
      });
      expect(await next()).toEqual(["send"]);
      await runOn(threadId, "approval", { command: { goto: "approve" } });
      expect(await next()).toEqual(["approve"]);
      await runOn(threadId, "approval", {
        command: { resume: "no", update: { letter: "Short." } },
      });
      expect(await threads.getState(threadId)).toMatchObject({
        values: { letter: "Short.", approved: false },
        next: [],
      });
      const all = await run("approval", { input, interruptBefore: "*" });
      expect((await threads.getState(all.threadId)).next).toEqual(["write"]);
    });

    test("checkpoint and checkpointId start from an earlier state", async () => {
      const { threads } = driven.client;
      const { threadId } = await run("approval", { input: { to: "Ada" } });
      const [, write] = await threads.getHistory(threadId);
      const checkpointId = write?.checkpoint.checkpoint_id ?? "";
      const bases = [
        { checkpointId },
        { checkpoint: { checkpoint_id: checkpointId } as never },
      ];
      for (const base of bases) {
        await runOn(threadId, "approval", { input: null, ...base });
        const state = await threads.getState(threadId);
        expect(state.next).toEqual(["approve"]);
        // LangGraph forks the checkpoint that it is told to start from.
        const forked = state.parent_checkpoint?.checkpoint_id ?? "";
        expect(await threads.getState(threadId, forked)).toMatchObject({
          metadata: { source: "fork" },
          parent_checkpoint: { checkpoint_id: checkpointId },
        });
      }
    });

    test("multitaskStrategy decides about the run before it", async () => {
      const { threads, runs } = driven.client;
      const { thread_id } = await threads.create();
      const waiting = () =>
        runs.create(thread_id, "fan-out", {
          input: { text: "x" },
          afterSeconds: 600,
        });
      const after = (strategy: RunOptions["multitaskStrategy"]) =>
        runOn(thread_id, "fan-out", {
          input: { text },
          ...(strategy && { multitaskStrategy: strategy }),
        });
      const { run_id } = await waiting();
      await expectRefused(
        after("reject"),
        409,
        /^Thread is already running a task/,
      );
      const enqueued = after("enqueue");
      await runs.cancel(thread_id, run_id);
      expect(await enqueued).toMatchObject({ total: 3 });
      const interrupted = await waiting();
      await after("interrupt");
      expect(await runs.get(thread_id, interrupted.run_id)).toMatchObject({
        status: "interrupted",
      });
      const rolledBack = await waiting();
      await after("rollback");
      await expectRefused(runs.get(thread_id, rolledBack.run_id), 404);
    });

    test("ifNotExists creates the thread; else it must be there", async () => {
      const threadId = randomUUID();
      const options = { input: { text }, metadata: { m: 1 } };
      await expectRefused(
        runOn(threadId, "fan-out", options),
        404,
        `Thread with ID ${threadId} not found`,
      );
      await expectRefused(
        runOn(threadId, "fan-out", { ...options, ifNotExists: "reject" }),
        404,
      );
      expect(
        await runOn(threadId, "fan-out", { ...options, ifNotExists: "create" }),
      ).toEqual(total);
      expect(await driven.client.threads.get(threadId)).toMatchObject({
        metadata: { graph_id: "fan-out", m: 1 },
        values: total,
      });
      await expectRefused(
        runOn(threadId, NOBODY, options),
        404,
        /^No assistant found for "0{8}-/,
      );
    });

    test("durability and checkpointDuring say how much history is kept", async () => {
      const { threads } = driven.client;
      const lengths = await Promise.all(
        [
          { durability: "exit" as const },
          { durability: "async" as const },
          { checkpointDuring: false },
          { checkpointDuring: true },
        ].map(async (option) => {
          const input = { text };
          const { threadId } = await run("fan-out", { input, ...option });
          return (await threads.getHistory(threadId)).length;
        }),
      );
      expect(lengths).toEqual([1, 4, 1, 4]);
    });

    test("an aborted call ends at once", async () => {
      const { threads } = driven.client;
      const { thread_id } = await threads.create();
      if (way === "stream") {
        // Both versions end a stream that was aborted before it began without an error.
        const signal = AbortSignal.abort();
        expect(await runOn(thread_id, "slow", { signal })).toBeUndefined();
      } else await expectAborted((signal) => runOn(thread_id, "slow", signal));
    });
  });
}
