import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ANONYMOUS } from "../../src/auth/caller.ts";
import { uuid7 } from "../../src/lib/uuid.ts";
import { invalid } from "../../src/model/errors.ts";
import { threadCreate } from "../../src/model/thread-requests.ts";
import { createThread } from "../../src/services/thread-create.ts";
import { sql } from "../../src/storage/sql.ts";
import { getThread } from "../../src/storage/threads.ts";
import { openTestDatabase, type TestDatabase } from "../support/databases.ts";
import {
  deps,
  newThread,
  stagedUpdate,
  workersThatAnswer,
} from "../support/threads.ts";

const supersteps = [
  { updates: [{ values: { topic: "tea" }, as_node: "__input__" }] },
  {
    updates: [
      { values: null, command: { goto: "n" }, as_node: "n" },
      { as_node: "m" },
    ],
  },
];

describe("creating a thread with supersteps", () => {
  let db: TestDatabase;
  beforeAll(async () => void (db = await openTestDatabase()));
  afterAll(() => db.close());

  const create = (body: object, answer: () => unknown) => {
    const workers = workersThatAnswer(answer);
    const made = createThread(
      deps(db.database, workers),
      ANONYMOUS,
      threadCreate.parse({ metadata: { graph_id: "g" }, supersteps, ...body }),
    );
    return { made, questions: workers.questions };
  };

  test("stores thread and checkpoints together, and returns the thread as it is then", async () => {
    const thread_id = uuid7();
    const staged = stagedUpdate(thread_id, { next: ["ask"] });
    const { made, questions } = create({ thread_id }, () => staged);
    const thread = await made;
    expect(thread).toMatchObject({
      thread_id,
      status: "interrupted",
      values: { topic: "tea" },
      metadata: { graph_id: "g" },
    });
    expect(await getThread(db.database, thread_id, null)).toEqual(thread);
    const rows = await db.database.query(
      sql`select checkpoint_id, run_id from checkpoints where thread_id = ${thread_id}`,
    );
    expect(rows).toEqual([
      { checkpoint_id: staged.checkpoint.checkpoint_id, run_id: null },
    ]);
    expect(questions).toEqual([
      {
        method: "state.bulkUpdate",
        params: {
          target: expect.objectContaining({ graph_id: "g", thread_id }),
          supersteps: [
            {
              updates: [
                {
                  values: { topic: "tea" },
                  command: null,
                  as_node: "__input__",
                },
              ],
            },
            {
              updates: [
                { values: null, command: { goto: "n" }, as_node: "n" },
                { values: null, command: null, as_node: "m" },
              ],
            },
          ],
        },
      },
    ]);
  });

  test("that a worker refuses leaves no thread behind", async () => {
    const thread_id = uuid7();
    const refusal = invalid("supersteps[1].updates[0]", "there is no node n");
    const { made } = create({ thread_id }, () => Promise.reject(refusal));
    await expect(made).rejects.toBe(refusal);
    expect(await getThread(db.database, thread_id, null)).toBeNull();
  });

  test("whose checkpoints cannot be stored leaves no thread behind", async () => {
    const thread_id = uuid7();
    const staged = stagedUpdate(uuid7()); // of a thread that is not there
    await expect(create({ thread_id }, () => staged).made).rejects.toThrow(
      /foreign key/i,
    );
    expect(await getThread(db.database, thread_id, null)).toBeNull();
  });

  test.each([{}, { graph_id: null }, { graph_id: 7 }])(
    "without a graph (metadata %j) is refused by the name of the thread",
    async (metadata) => {
      const thread_id = uuid7();
      const { made, questions } = create({ thread_id, metadata }, () => null);
      await expect(made).rejects.toMatchObject({
        code: "bad_request",
        message: `Thread ${thread_id} has no graph ID`,
      });
      expect(questions).toEqual([]);
      expect(await getThread(db.database, thread_id, null)).toBeNull();
    },
  );

  test("on an id that is taken asks no worker", async () => {
    const { thread_id } = await newThread(db.database, {
      metadata: { first: true },
    });
    const raised = create({ thread_id }, () => stagedUpdate(thread_id));
    await expect(raised.made).rejects.toMatchObject({
      message: "Thread already exists",
    });
    const kept = create({ thread_id, if_exists: "do_nothing" }, () =>
      stagedUpdate(thread_id),
    );
    expect((await kept.made).metadata).toEqual({ first: true });
    expect([...raised.questions, ...kept.questions]).toEqual([]);
  });

  test("on an id that is taken meanwhile changes nothing of that thread", async () => {
    const thread_id = uuid7();
    const { made } = create({ thread_id }, async () => {
      await newThread(db.database, { thread_id, metadata: { first: true } });
      return stagedUpdate(thread_id);
    });
    await expect(made).rejects.toMatchObject({ code: "conflict" });
    const there = await getThread(db.database, thread_id, null);
    expect(there).toMatchObject({ metadata: { first: true }, values: null });
    const rows = await db.database.query(
      sql`select 1 from checkpoints where thread_id = ${thread_id}`,
    );
    expect(rows).toEqual([]);
  });

  test("that are an empty list is a plain create", async () => {
    const { made, questions } = create(
      { supersteps: [], metadata: {} },
      () => null,
    );
    expect((await made).values).toBeNull();
    expect(questions).toEqual([]);
  });
});
