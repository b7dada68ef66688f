import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import { NOBODY, UUID } from "../../../support/sdk.ts";
import { expectAborted, expectRefused, type Driven } from "./driven.ts";

const missing = `Thread with ID ${NOBODY} not found`;

/** T1 to T8 and T11: the thread as a row. */
export function threadSuite(driven: Driven): void {
  describe("threads", () => {
    test("create", async () => {
      const { threads } = driven.client;
      expect((await threads.create()).thread_id).toMatch(UUID);
      const threadId = randomUUID();
      const given = { threadId, metadata: { a: 1 }, graphId: "approval" };
      const created = await threads.create(given);
      expect(created).toMatchObject({
        thread_id: threadId,
        metadata: { a: 1, graph_id: "approval" },
        status: "idle",
      });
      await expectRefused(threads.create(given), 409, "Thread already exists");
      expect(
        await threads.create({ ...given, ifExists: "do_nothing" }),
      ).toEqual(created);
      await expectRefused(threads.create({ threadId: "x" }), 422, /^thread_id/);
      await expectAborted((options) => threads.create(options));
    });

    test("create with supersteps, of values and of commands", async () => {
      const { threads } = driven.client;
      const supersteps = [
        { updates: [{ values: { to: "Ada" }, asNode: "__start__" }] },
        {
          updates: [
            {
              values: null,
              command: { update: { letter: "Hello.", log: ["imported"] } },
              asNode: "write",
            },
          ],
        },
      ];
      const thread = await threads.create({ graphId: "approval", supersteps });
      expect(thread.values).toEqual({
        to: "Ada",
        letter: "Hello.",
        log: ["imported"],
      });
      expect((await threads.getState(thread.thread_id)).next).toEqual([
        "approve",
      ]);
      await expectRefused(threads.create({ supersteps }), 400, /no graph ID/);
    });

    test("a time to live, as a number and as an object", async () => {
      const { threads } = driven.client;
      const ttlOf = async (threadId: string) => {
        const path = `/threads/${threadId}?include=ttl`;
        const answer = await driven.server.fetch(path);
        return ((await answer.json()) as { ttl?: unknown }).ttl;
      };
      const { thread_id } = await threads.create({ ttl: 60 });
      expect(await ttlOf(thread_id)).toMatchObject({
        strategy: "delete",
        ttl_minutes: 60,
      });
      const ttl = { ttl: 5, strategy: "delete" as const };
      const other = await threads.create({ ttl });
      expect(await ttlOf(other.thread_id)).toMatchObject({ ttl_minutes: 5 });
      await threads.update(thread_id, { ttl: 7 });
      expect(await ttlOf(thread_id)).toMatchObject({ ttl_minutes: 7 });
      await threads.update(thread_id, { ttl });
      expect(await ttlOf(thread_id)).toMatchObject({ ttl_minutes: 5 });
    });

    test("get", async () => {
      const { threads } = driven.client;
      const thread = await threads.create({ metadata: { a: 1 } });
      expect(await threads.get(thread.thread_id)).toEqual(thread);
      await expectRefused(threads.get(NOBODY), 404, missing);
      await expectRefused(threads.get("my-thread"), 422, /^thread_id: /);
      await expectAborted((options) => threads.get(NOBODY, options));
    });

    test("update and patchState", async () => {
      const { threads } = driven.client;
      const { thread_id } = await threads.create({ metadata: { a: 1 } });
      const updated = await threads.update(thread_id, { metadata: { b: 2 } });
      expect(updated.metadata).toEqual({ a: 1, b: 2 });
      expect(await threads.patchState(thread_id, { c: 3 })).toBeUndefined();
      await threads.patchState({ configurable: { thread_id } }, { d: 4 });
      expect((await threads.get(thread_id)).metadata).toEqual({
        ...{ a: 1, b: 2 },
        ...{ c: 3, d: 4 },
      });
      await expectRefused(threads.update(NOBODY, { metadata: {} }), 404);
      await expectRefused(threads.patchState(NOBODY, {}), 404);
      await expectAborted((options) => threads.update(thread_id, options));
    });

    test("copy and delete", async () => {
      const { threads, runs } = driven.client;
      const { thread_id } = await threads.create({ metadata: { a: 1 } });
      await runs.wait(thread_id, "fan-out", { input: { text: "a bc" } });
      const copy = await threads.copy(thread_id);
      expect(copy.thread_id).not.toBe(thread_id);
      expect(copy).toMatchObject({ metadata: { a: 1 }, values: { total: 3 } });
      expect(await threads.delete(thread_id)).toBeUndefined();
      await expectRefused(threads.get(thread_id), 404);
      expect(await threads.getHistory(copy.thread_id)).toHaveLength(4);
      await expectRefused(threads.copy(NOBODY), 409, "Thread not found");
      await expectRefused(threads.delete(NOBODY), 404, missing);
      await expectAborted((options) => threads.copy(copy.thread_id, options));
      await expectAborted((options) => threads.delete(copy.thread_id, options));
    });

    test("search and count", async () => {
      const { threads, runs } = driven.client;
      const batch = { batch: randomUUID() };
      const ids: string[] = [];
      for (const n of [0, 1, 2]) {
        const metadata = { ...batch, n };
        ids.push((await threads.create({ metadata })).thread_id);
      }
      await runs.wait(ids[2] ?? "", "approval", { input: { to: "Ada" } });
      const search = async (
        query: NonNullable<Parameters<typeof threads.search>[0]>,
      ) => {
        const found = await threads.search({ metadata: batch, ...query });
        return found.map(({ thread_id }) => ids.indexOf(thread_id));
      };
      const ascending = { sortBy: "created_at", sortOrder: "asc" } as const;
      expect(await search(ascending)).toEqual([0, 1, 2]);
      expect(await search({ sortBy: "created_at" })).toEqual([2, 1, 0]);
      expect(await search({ ...ascending, limit: 1, offset: 1 })).toEqual([1]);
      expect(await search({ metadata: { ...batch, n: 1 } })).toEqual([1]);
      expect(await search({ ids: ids.slice(0, 1) })).toEqual([0]);
      expect(await search({ status: "interrupted" })).toEqual([2]);
      expect(await search({ values: { to: "Ada" } })).toEqual([2]);
      expect(
        await threads.search({
          metadata: batch,
          select: ["metadata"],
          limit: 1,
          ...ascending,
        }),
      ).toEqual([{ metadata: { ...batch, n: 0 } }]);
      await expectRefused(threads.search({ limit: 0 }), 422, /^limit: /);

      expect(await threads.count({ metadata: batch })).toBe(3);
      expect(
        await threads.count({ metadata: batch, values: { to: "Ada" } }),
      ).toBe(1);
      expect(
        await threads.count({ metadata: batch, status: "interrupted" }),
      ).toBe(1);
      await expectRefused(
        threads.count({ status: "asleep" as never }),
        422,
        /^status: /,
      );
      await expectAborted((options) => threads.search(options));
    });
  });
}

/** What only 1.15.0 has. */
export function newerThreadSuite(driven: Driven): void {
  describe("threads of 1.15.0", () => {
    test("get with include", async () => {
      const { threads } = driven.client;
      const { thread_id } = await threads.create({ ttl: 60 });
      const thread = await threads.get(thread_id, { include: ["ttl"] });
      expect(thread).toMatchObject({ ttl: { ttl_minutes: 60 } });
    });

    test("update that answers nothing", async () => {
      const { threads } = driven.client;
      const { thread_id } = await threads.create();
      const metadata = { a: 1 };
      expect(
        await threads.update(thread_id, { metadata, returnMinimal: true }),
      ).toBeUndefined();
      expect((await threads.get(thread_id)).metadata).toEqual(metadata);
    });

    test("search with extract", async () => {
      const { threads } = driven.client;
      const { thread_id } = await threads.create({ metadata: { deep: [7] } });
      const found = await threads.search({
        ids: [thread_id],
        extract: { last: "metadata.deep[-1]", none: "values.none" },
      });
      expect(found).toMatchObject([{ extracted: { last: 7, none: null } }]);
      await expectRefused(
        threads.search({ extract: { a: "kwargs.input" } }),
        422,
        /^extract/,
      );
    });

    test("prune", async () => {
      const { threads, runs } = driven.client;
      const pruned = async (strategy?: "keep_latest" | "delete") => {
        const { thread_id } = await threads.create();
        await runs.wait(thread_id, "fan-out", { input: { text: "a bc" } });
        const ids = [thread_id, NOBODY];
        const answer = await threads.prune(ids, strategy && { strategy });
        expect(answer).toEqual({ pruned_count: 1 });
        return thread_id;
      };
      const kept = await pruned("keep_latest");
      expect(await threads.getHistory(kept)).toMatchObject([
        { values: { total: 3 } },
      ]);
      await expectRefused(threads.get(await pruned("delete")), 404);
      await expectRefused(threads.get(await pruned()), 404);
      await expectRefused(threads.prune(["x"]), 422, /^thread_ids/);
      await expectAborted((options) => threads.prune([NOBODY], options));
    });
  });
}
