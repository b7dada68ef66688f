import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ANONYMOUS } from "../../src/auth/caller.ts";
import { uuid7 } from "../../src/lib/uuid.ts";
import { threadCreate, threadPatch } from "../../src/model/thread-requests.ts";
import { createThread } from "../../src/services/thread-create.ts";
import { requireThread, updateThread } from "../../src/services/threads.ts";
import { markThreadBusy } from "../../src/storage/thread-turn.ts";
import {
  getLastState,
  getThread,
  insertThread,
  lockThread,
  setThreadSnapshot,
} from "../../src/storage/threads.ts";
import {
  drivers,
  openTestDatabase,
  type TestDatabase,
} from "../support/databases.ts";
import { deps, giveValues, newThread } from "../support/threads.ts";
import { sortedJson } from "../support/sorted-json.ts";

const later = () => new Promise((resolve) => setTimeout(resolve, 5));

const ADA = { access: { owner: "ada" } };
const EVE = { access: { owner: "eve" } };

describe.each(drivers())("threads on $name", (driver) => {
  let db: TestDatabase;
  const database = () => db.database;
  beforeAll(async () => void (db = await openTestDatabase(driver)));
  afterAll(() => db.close());

  describe("creating", () => {
    test("a thread starts idle, without state, and with three equal timestamps", async () => {
      const thread = await newThread(database(), { metadata: { a: 1 } });
      expect(thread).toEqual({
        thread_id: expect.stringMatching(/^[\da-f]{8}-[\da-f]{4}-7/),
        created_at: expect.stringMatching(/^\d{4}-.*Z$/),
        updated_at: thread.created_at,
        state_updated_at: thread.created_at,
        metadata: { a: 1 },
        config: {},
        status: "idle",
        values: null,
        interrupts: {},
        error: null,
      });
      expect(await getThread(database(), thread.thread_id, null)).toEqual(
        thread,
      );
    });

    test("an id that is taken is a conflict", async () => {
      const { thread_id } = await newThread(database());
      await expect(newThread(database(), { thread_id })).rejects.toMatchObject({
        code: "conflict",
        message: "Thread already exists",
      });
    });

    test("an id in capitals is the same id", async () => {
      const thread_id = uuid7();
      await newThread(database(), { thread_id: thread_id.toUpperCase() });
      await expect(newThread(database(), { thread_id })).rejects.toMatchObject({
        code: "conflict",
      });
    });

    test("do_nothing gives the thread that is there, as it is", async () => {
      const first = await newThread(database(), { metadata: { kept: true } });
      const again = await newThread(database(), {
        thread_id: first.thread_id,
        metadata: { kept: false },
        if_exists: "do_nothing",
      });
      expect(again).toEqual(first);
    });

    test("a thread that the caller may not see is a conflict in both modes", async () => {
      const { thread_id } = await newThread(database(), {
        metadata: { owner: "ada" },
      });
      for (const if_exists of ["raise", "do_nothing"] as const)
        await expect(
          createThread(
            deps(database()),
            EVE,
            threadCreate.parse({ thread_id, if_exists }),
          ),
        ).rejects.toMatchObject({ code: "conflict" });
    });

    test("of many that want one id at once, one gets it", async () => {
      const thread_id = uuid7();
      const outcomes = await Promise.allSettled(
        Array.from({ length: 20 }, () => newThread(database(), { thread_id })),
      );
      expect(outcomes.filter((one) => one.status === "fulfilled")).toHaveLength(
        1,
      );
    });

    test("odd keys and values come back as they went in", async () => {
      const metadata = JSON.parse(
        `{"__proto__": {"x": 1}, "constructor": "c", "100%": "it's", "a\\"b": [1, null, {"": 0}], "\\\\u0000": "\\\\u0000"}`,
      ) as Record<string, never>;
      const { thread_id } = await newThread(database(), { metadata });
      const read = await requireThread(deps(database()), ANONYMOUS, thread_id);
      expect(sortedJson(read.metadata)).toBe(sortedJson(metadata));
    });

    test("NUL becomes U+FFFD, in keys and in values", async () => {
      const thread = await newThread(database(), {
        metadata: { "k\0": "v\0" },
      });
      expect(thread.metadata).toEqual({ "k\ufffd": "v\ufffd" });
    });

    test("system keys that a client sends are dropped", async () => {
      const thread = await newThread(database(), {
        metadata: {
          langgraph_auth_user_id: "eve",
          langgraph_request_id: 1,
          langgraph: 2,
        },
      });
      expect(thread.metadata).toEqual({ langgraph: 2 });
    });
  });

  describe("reading", () => {
    test("a thread that is missing, and one that is hidden, look alike", async () => {
      const { thread_id } = await newThread(database(), {
        metadata: { owner: "ada" },
      });
      const missing = uuid7();
      await expect(
        requireThread(deps(database()), ANONYMOUS, missing),
      ).rejects.toMatchObject({
        code: "not_found",
        message: `Thread with ID ${missing} not found`,
      });
      await expect(
        requireThread(deps(database()), EVE, thread_id),
      ).rejects.toMatchObject({
        message: `Thread with ID ${thread_id} not found`,
      });
      const seen = await requireThread(deps(database()), ADA, thread_id);
      expect(seen.thread_id).toBe(thread_id);
    });

    test("a lock of a hidden thread finds nothing", async () => {
      const { thread_id } = await newThread(database(), {
        metadata: { owner: "ada" },
      });
      const locked = await database().transaction(async (tx) => [
        await lockThread(tx, thread_id, EVE.access),
        await lockThread(tx, thread_id, ADA.access),
      ]);
      expect(locked).toEqual([
        null,
        {
          values_paged: false,
          thread_id,
          status: "idle",
          metadata: { owner: "ada" },
          config: {},
          temporary: false,
          run_seq: 0,
        },
      ]);
    });
  });

  describe("time to live", () => {
    const withTtl = (threadId: string) =>
      requireThread(deps(database()), ANONYMOUS, threadId, { withTtl: true });

    test("counts from the last change, whatever changed", async () => {
      const { thread_id } = await newThread(database(), { ttl: 1.5 });
      const expiry = async () => {
        const { ttl, updated_at } = await withTtl(thread_id);
        return {
          ttl,
          fromUpdate:
            Date.parse(ttl?.expires_at ?? "") - Date.parse(updated_at),
        };
      };
      const first = await expiry();
      expect(first).toMatchObject({
        ttl: { strategy: "delete", ttl_minutes: 1.5 },
        fromUpdate: 90_000,
      });
      await later();
      await updateThread(
        deps(database()),
        ANONYMOUS,
        thread_id,
        threadPatch.parse({}),
      );
      const patched = await expiry();
      expect(patched.fromUpdate).toBe(90_000);
      expect(patched.ttl?.expires_at).not.toBe(first.ttl?.expires_at);
      await later();
      await giveValues(database(), thread_id, { a: 1 });
      const ended = await expiry();
      expect(ended.fromUpdate).toBe(90_000);
      expect(ended.ttl?.expires_at).not.toBe(patched.ttl?.expires_at);
    });

    test("is null for a thread that lives for ever, and absent when not asked for", async () => {
      const { thread_id } = await newThread(database());
      expect((await withTtl(thread_id)).ttl).toBeNull();
      expect(
        await requireThread(deps(database()), ANONYMOUS, thread_id),
      ).not.toHaveProperty("ttl");
    });

    test("comes from the server for a thread that has none of its own", async () => {
      const defaultTtl = { strategy: "keep_latest", ttl_minutes: 60 } as const;
      const make = (body: object) =>
        createThread(
          { ...deps(database()), defaultTtl },
          ANONYMOUS,
          threadCreate.parse(body),
        );
      const plain = await make({});
      const own = await make({ ttl: { ttl: 5 } });
      expect((await withTtl(plain.thread_id)).ttl).toMatchObject(defaultTtl);
      expect((await withTtl(own.thread_id)).ttl).toMatchObject({
        strategy: "delete",
        ttl_minutes: 5,
      });
    });

    test("a patch changes it, and one without it leaves it", async () => {
      const { thread_id } = await newThread(database());
      const patch = (body: object) =>
        updateThread(
          deps(database()),
          ANONYMOUS,
          thread_id,
          threadPatch.parse(body),
        );
      await patch({ ttl: { ttl: 10, strategy: "keep_latest" } });
      await patch({ metadata: { a: 1 }, ttl: null });
      expect((await withTtl(thread_id)).ttl).toMatchObject({
        strategy: "keep_latest",
        ttl_minutes: 10,
      });
    });

    test("a thousand years are a date like any other", async () => {
      const { thread_id } = await newThread(database(), { ttl: 1_000_000_000 });
      const { ttl } = await withTtl(thread_id);
      expect(new Date(ttl?.expires_at ?? "").getUTCFullYear()).toBeGreaterThan(
        3900,
      );
    });
  });

  describe("patching", () => {
    test("lays metadata over what is there, one level deep, and moves updated_at alone", async () => {
      const before = await newThread(database(), {
        metadata: { a: { x: 1 }, b: 1 },
      });
      await later();
      const after = await updateThread(
        deps(database()),
        ANONYMOUS,
        before.thread_id,
        threadPatch.parse({ metadata: { a: { y: 2 }, c: null } }),
      );
      expect(after).toEqual({
        ...before,
        metadata: { a: { y: 2 }, b: 1, c: null },
        updated_at: expect.any(String),
      });
      expect(after.updated_at > before.updated_at).toBe(true);
    });

    test("a member called __proto__ is data", async () => {
      const { thread_id } = await newThread(database(), { metadata: { a: 1 } });
      const metadata = JSON.parse(
        '{"__proto__": {"polluted": true}}',
      ) as object;
      const after = await updateThread(
        deps(database()),
        ANONYMOUS,
        thread_id,
        threadPatch.parse({ metadata }),
      );
      expect(JSON.stringify(after.metadata)).toBe(
        '{"a":1,"__proto__":{"polluted":true}}',
      );
      expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
    });

    test("a missing or hidden thread is not found", async () => {
      const { thread_id } = await newThread(database(), {
        metadata: { owner: "ada" },
      });
      for (const [caller, id] of [
        [ANONYMOUS, uuid7()],
        [EVE, thread_id],
      ] as const)
        await expect(
          updateThread(deps(database()), caller, id, { metadata: {} }),
        ).rejects.toMatchObject({
          code: "not_found",
          message: "Thread not found",
        });
    });
  });

  describe("the snapshot of a thread", () => {
    const set = (
      threadId: string,
      outcome: Parameters<typeof setThreadSnapshot>[2],
    ) =>
      database().transaction((tx) => setThreadSnapshot(tx, threadId, outcome));
    const snapshot = {
      values: { a: [1, { b: null }] },
      next: ["ask"],
      interrupts: { task: [{ id: "i", value: "?" }] },
    };

    test("sets status, values, interrupts and error, and leaves metadata alone", async () => {
      const before = await newThread(database(), { metadata: { keep: 1 } });
      await later();
      const error = { error: "Error", message: "no" };
      await set(before.thread_id, { status: "error", snapshot, error });
      const after = await getThread(database(), before.thread_id, null);
      expect(after).toMatchObject({
        metadata: { keep: 1 },
        status: "error",
        values: snapshot.values,
        interrupts: snapshot.interrupts,
        error,
      });
      expect(after?.updated_at).toBe(after?.state_updated_at);
      expect(after?.updated_at).not.toBe(before.updated_at);
    });

    test("moves state_updated_at only when something has changed", async () => {
      const { thread_id } = await newThread(database());
      const stamps = async () => {
        const row = await getThread(database(), thread_id, null);
        return [row?.updated_at, row?.state_updated_at];
      };
      await set(thread_id, { status: "idle", snapshot, error: null });
      const [firstUpdate, firstState] = await stamps();
      await later();
      await set(thread_id, { status: "idle", snapshot, error: null });
      const [secondUpdate, secondState] = await stamps();
      expect(secondState).toBe(firstState);
      expect(secondUpdate).not.toBe(firstUpdate);
      await later();
      await set(thread_id, {
        status: "interrupted",
        snapshot: null,
        error: null,
      });
      expect((await stamps())[1]).not.toBe(firstState);
    });

    test.each([
      ["values", { values: { a: 2 } }],
      ["interrupts", { interrupts: {} }],
    ])(
      "moves state_updated_at when %s alone have changed",
      async (_, changed) => {
        const { thread_id } = await newThread(database());
        await set(thread_id, { status: "idle", snapshot, error: null });
        const before = await getThread(database(), thread_id, null);
        await later();
        const next = { ...snapshot, ...changed };
        await set(thread_id, { status: "idle", snapshot: next, error: null });
        const after = await getThread(database(), thread_id, null);
        expect(after?.state_updated_at).not.toBe(before?.state_updated_at);
      },
    );

    test("without a state of its own keeps values and interrupts", async () => {
      const { thread_id } = await newThread(database());
      await set(thread_id, { status: "interrupted", snapshot, error: null });
      await set(thread_id, { status: "busy", snapshot: null, error: null });
      expect(await getThread(database(), thread_id, null)).toMatchObject({
        status: "busy",
        values: snapshot.values,
        interrupts: snapshot.interrupts,
      });
    });

    test("of a thread that lost its checkpoints has null values", async () => {
      const { thread_id } = await newThread(database());
      await set(thread_id, { status: "idle", snapshot, error: null });
      const empty = { values: null, next: [], interrupts: {} };
      await set(thread_id, { status: "idle", snapshot: empty, error: null });
      const row = await getThread(database(), thread_id, null);
      expect(row?.values).toBeNull();
      expect(row?.interrupts).toEqual({});
    });
  });

  test("a temporary thread is found by its id until its run has ended", async () => {
    const thread_id = uuid7();
    await database().transaction(async (tx) => {
      await insertThread(tx, {
        thread_id,
        metadata: {},
        ttl: null,
        temporary: true,
      });
      await markThreadBusy(tx, {
        thread_id,
        graph_id: "g",
        assistant_id: uuid7(),
        hasTurn: true,
      });
    });
    const find = () => getThread(database(), thread_id, null);
    expect((await find())?.thread_id).toBe(thread_id);
    await database().transaction((tx) =>
      setThreadSnapshot(tx, thread_id, {
        status: "idle",
        snapshot: { values: { a: 1 }, next: [], interrupts: {} },
        error: null,
      }),
    );
    expect(await find()).toBeNull();
    expect(await getLastState(database(), thread_id)).toEqual({
      values: { a: 1 },
      interrupts: {},
    });
  });
});
