import { describe, expect, test } from "vitest";
import { NOBODY } from "../../../support/sdk.ts";
import { expectAborted, expectRefused, type Driven } from "./driven.ts";

/** An id of the right form, of no checkpoint. */
const NO_CHECKPOINT = "1ef00000-0000-6000-8000-000000000000";

/** A thread that waits for an answer: three checkpoints, `approve` is next. */
async function askedThread(driven: Driven, metadata = {}): Promise<string> {
  const { threads, runs } = driven.client;
  const { thread_id } = await threads.create();
  const input = { to: "Ada" };
  await runs.wait(thread_id, "approval", { input, metadata });
  return thread_id;
}

/** T9, T10, T12, T13, T15: what the graph has made of a thread. */
export function threadStateSuite(driven: Driven): void {
  describe("state", () => {
    test("getState, now and at a checkpoint", async () => {
      const { threads } = driven.client;
      const threadId = await askedThread(driven);
      const state = await threads.getState(threadId);
      expect(state).toMatchObject({
        values: { to: "Ada", log: ["written"] },
        next: ["approve"],
        tasks: [{ name: "approve" }],
        metadata: { source: "loop", step: 1 },
        checkpoint: { thread_id: threadId, checkpoint_ns: "" },
      });
      const { checkpoint, parent_checkpoint } = state;
      const parent = parent_checkpoint?.checkpoint_id ?? "";
      const byId = await threads.getState(threadId, parent);
      expect(byId.next).toEqual(["write"]);
      expect(byId.checkpoint.checkpoint_id).toBe(parent);
      expect(await threads.getState(threadId, parent_checkpoint!)).toEqual(
        byId,
      );

      await expectRefused(threads.getState(NOBODY), 404);
      await expectRefused(threads.getState(threadId, NO_CHECKPOINT), 404);
      await expectRefused(
        threads.getState(threadId, {
          ...checkpoint,
          checkpoint_id: NO_CHECKPOINT,
        }),
        404,
      );
      await expectAborted((options) =>
        threads.getState(threadId, null as never, options),
      );
    });

    test("getState with subgraphs, and of a subgraph", async () => {
      const { threads, runs } = driven.client;
      const { thread_id } = await threads.create();
      await runs.wait(thread_id, "trip", { input: { wish: "to Porto" } });
      const subgraphs = { subgraphs: true };
      const plain = await threads.getState(thread_id);
      expect(plain.tasks[0]).toMatchObject({ name: "booking", state: null });
      const deep = await threads.getState(thread_id, undefined, subgraphs);
      expect(deep.tasks[0]).toMatchObject({
        state: { values: { train: "the 9:30 to Porto" }, next: ["book"] },
      });
      const id = deep.checkpoint.checkpoint_id ?? "";
      for (const checkpoint of [id, deep.checkpoint])
        expect(
          await threads.getState(thread_id, checkpoint, subgraphs),
        ).toEqual(deep);
      const checkpoint_ns = plain.tasks[0]?.checkpoint?.checkpoint_ns;
      const inner = await threads.getState(thread_id, {
        checkpoint_ns,
      } as never);
      expect(inner.next).toEqual(["book"]);
    });

    test("updateState", async () => {
      const { threads } = driven.client;
      const threadId = await askedThread(driven);
      const first = (await threads.getState(threadId)).checkpoint;
      const values = { letter: "Short." };
      const answer = await threads.updateState(threadId, { values });
      const latest = await threads.getState(threadId);
      expect(answer).toMatchObject({
        configurable: { checkpoint_id: latest.checkpoint.checkpoint_id },
        checkpoint: { checkpoint_id: latest.checkpoint.checkpoint_id },
      });
      expect(latest.values).toMatchObject(values);
      const asNode = "approve";
      await threads.updateState(threadId, {
        values: { approved: true },
        asNode,
      });
      expect((await threads.getState(threadId)).next).toEqual(["send"]);
      const checkpointId = first.checkpoint_id ?? "";
      for (const base of [{ checkpointId }, { checkpoint: first }]) {
        await threads.updateState(threadId, { values, ...base });
        expect(await threads.getState(threadId)).toMatchObject({
          next: ["approve"],
          parent_checkpoint: { checkpoint_id: checkpointId },
        });
      }
      await expectRefused(threads.updateState(NOBODY, { values }), 404);
      await expectRefused(
        threads.updateState(threadId, { values, asNode: "nowhere" }),
        422,
        /nowhere/,
      );
      const { thread_id } = await threads.create();
      await expectRefused(
        threads.updateState(thread_id, { values }),
        400,
        `Thread ${thread_id} has no graph ID`,
      );
      await expectAborted((options) =>
        threads.updateState(threadId, { values, ...options } as never),
      );
    });

    test("getHistory", async () => {
      const { threads, runs } = driven.client;
      const threadId = await askedThread(driven, { take: 1 });
      await runs.wait(threadId, "approval", {
        command: { resume: "yes" },
        metadata: { take: 2 },
      });
      const stepsOf = async (
        options?: Parameters<typeof threads.getHistory>[1],
      ) =>
        (await threads.getHistory(threadId, options)).map(
          ({ metadata }) => metadata?.["step"],
        );
      expect(await stepsOf()).toEqual([3, 2, 1, 0, -1]);
      expect(await stepsOf({ limit: 2 })).toEqual([3, 2]);
      expect(await stepsOf({ metadata: { take: 1 } })).toEqual([1, 0, -1]);
      const [, second] = await threads.getHistory(threadId);
      const checkpoint_id = second?.checkpoint.checkpoint_id ?? "";
      const before = { configurable: { checkpoint_id } };
      expect(await stepsOf({ before })).toEqual([1, 0, -1]);
      const { thread_id } = await threads.create();
      expect(await threads.getHistory(thread_id)).toEqual([]);
      await expectRefused(threads.getHistory(NOBODY), 404);
      await expectRefused(
        threads.getHistory(threadId, { limit: 0 }),
        422,
        /^limit: /,
      );
      await expectAborted((options) => threads.getHistory(threadId, options));
    });

    test("getHistory of a subgraph", async () => {
      const { threads, runs } = driven.client;
      const { thread_id } = await threads.create();
      await runs.wait(thread_id, "trip", { input: { wish: "to Porto" } });
      const [task] = (await threads.getState(thread_id)).tasks;
      const checkpoint = { checkpoint_ns: task?.checkpoint?.checkpoint_ns };
      const history = await threads.getHistory(thread_id, {
        checkpoint: checkpoint as never,
      });
      expect(history.map(({ next }) => next)).toEqual([
        ["book"],
        ["search"],
        ["__start__"],
      ]);
    });
  });
}

/** What only 1.15.0 has. */
export function newerThreadStateSuite(driven: Driven): void {
  test("select leaves only the named parts of a state or a history", async () => {
    const { threads } = driven.client;
    const threadId = await askedThread(driven);
    const { checkpoint } = await threads.getState(threadId);
    const id = checkpoint.checkpoint_id ?? "";
    for (const at of [undefined, id, checkpoint])
      expect(
        await threads.getState(threadId, at as string, {
          select: ["next", "values.to"],
        }),
      ).toEqual({ next: ["approve"], values: { to: "Ada" } });
    expect(
      await threads.getHistory(threadId, { select: ["next"], limit: 1 }),
    ).toEqual([{ next: ["approve"] }]);
    await expectRefused(
      threads.getState(threadId, undefined, { select: ["secrets" as never] }),
      422,
      /^select/,
    );
  });

  test("identical reads at the same time share one request", async () => {
    const threadId = await askedThread(driven);
    const { threads } = driven.client;
    const [one, other] = await Promise.all([
      threads.getState(threadId),
      threads.getState(threadId),
    ]);
    expect(one).toBe(other);
  });
}
