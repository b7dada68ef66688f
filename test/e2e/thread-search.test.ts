import { randomUUID } from "node:crypto";
import { beforeAll, expect, test } from "vitest";
import { refusal } from "../support/sdk.ts";
import { useServer } from "../support/server.ts";

const server = useServer();

/** Marks the threads of this file, created in this order. */
const batch = randomUUID();
const ids: string[] = [];

const summary = (threads: { thread_id: string }[]): number[] =>
  threads.map(({ thread_id }) => ids.indexOf(thread_id));

beforeAll(async () => {
  const { threads, runs } = server.client;
  const metadatas = [
    { n: 0, tags: ["red", "blue"], owner: { name: "ada", age: 36 } },
    { n: 1, tags: ["red"], owner: { name: "bob", age: 40 } },
    { n: 2, nothing: null },
    { n: 3 },
    { n: 4 },
  ];
  for (const metadata of metadatas) {
    const thread = await threads.create({ metadata: { batch, ...metadata } });
    ids.push(thread.thread_id);
  }
  await runs.wait(ids[3] ?? "", "approval", { input: { to: "Ada" } });
  await runs.wait(ids[4] ?? "", "agent", {
    input: { messages: [{ role: "user", content: "hello" }] },
  });
});

const search = (
  query: NonNullable<Parameters<typeof server.client.threads.search>[0]>,
) =>
  server.client.threads.search({
    sortBy: "created_at",
    sortOrder: "asc",
    ...query,
    metadata: { batch, ...query.metadata },
  });

test("metadata filters by containment, nested objects and arrays included", async () => {
  expect(summary(await search({}))).toEqual([0, 1, 2, 3, 4]);
  expect(summary(await search({ metadata: { n: 1 } }))).toEqual([1]);
  expect(summary(await search({ metadata: { tags: ["red"] } }))).toEqual([
    0, 1,
  ]);
  expect(
    summary(await search({ metadata: { tags: ["blue", "red"] } })),
  ).toEqual([0]);
  expect(
    summary(await search({ metadata: { owner: { name: "bob" } } })),
  ).toEqual([1]);
  expect(summary(await search({ metadata: { nothing: null } }))).toEqual([2]);
  expect(summary(await search({ metadata: { n: "1" } }))).toEqual([]);
});

test("status, ids and values filter too, and all filters must hold", async () => {
  expect(summary(await search({ status: "interrupted" }))).toEqual([3]);
  expect(summary(await search({ status: "busy" }))).toEqual([]);
  const some = [ids[2] ?? "", ids[0] ?? ""];
  expect(summary(await search({ ids: some }))).toEqual([0, 2]);
  expect(summary(await search({ ids: [] }))).toEqual([0, 1, 2, 3, 4]);
  expect(summary(await search({ values: { to: "Ada" } }))).toEqual([3]);
  expect(summary(await search({ values: { log: ["written"] } }))).toEqual([3]);
  expect(
    summary(await search({ values: { to: "Ada" }, status: "idle" })),
  ).toEqual([]);
});

test("the newest change comes first when no order is asked for", async () => {
  await server.client.threads.update(ids[1] ?? "", {
    metadata: { touched: 1 },
  });
  const found = await server.client.threads.search({ metadata: { batch } });
  expect(summary(found)).toEqual([1, 4, 3, 2, 0]);
});

test("threads sort by each of the five keys, both ways", async () => {
  const order = async (
    sortBy: "thread_id" | "status" | "created_at" | "state_updated_at",
    sortOrder: "asc" | "desc",
  ) => summary(await search({ sortBy, sortOrder }));
  expect(await order("created_at", "desc")).toEqual([4, 3, 2, 1, 0]);
  const byId = [...ids].sort().map((id) => ids.indexOf(id));
  expect(await order("thread_id", "asc")).toEqual(byId);
  expect(await order("thread_id", "desc")).toEqual(byId.toReversed());
  expect((await order("status", "asc")).at(-1)).toBe(3);
  expect((await order("state_updated_at", "desc")).slice(0, 2)).toEqual([4, 3]);
});

test("pages say how many rows match and where the next page starts", async () => {
  const page = async (limit: number, offset: number) => {
    const answer = await server.send("POST", "/threads/search", {
      metadata: { batch },
      sort_by: "created_at",
      sort_order: "asc",
      limit,
      offset,
    });
    return {
      rows: summary((await answer.json()) as { thread_id: string }[]),
      total: answer.headers.get("x-pagination-total"),
      next: answer.headers.get("x-pagination-next"),
    };
  };
  expect(await page(2, 0)).toEqual({ rows: [0, 1], total: "5", next: "2" });
  expect(await page(2, 2)).toEqual({ rows: [2, 3], total: "5", next: "4" });
  expect(await page(2, 4)).toEqual({ rows: [4], total: "5", next: null });
  expect(await page(5, 0)).toMatchObject({ total: "5", next: null });
  expect(await page(5, 9)).toEqual({ rows: [], total: "5", next: null });
});

test("select leaves only the named keys", async () => {
  const [row] = await search({
    ids: [ids[0] ?? ""],
    select: ["thread_id", "metadata"],
  });
  expect(Object.keys(row ?? {}).sort()).toEqual(["metadata", "thread_id"]);
});

test("extract takes single values out of a thread", async () => {
  const rows = (await search({
    ids: [ids[2] ?? "", ids[3] ?? "", ids[4] ?? ""],
    select: ["thread_id"],
    extract: {
      last: "values.messages[-1].content",
      first: "values.messages[0].content",
      to: "values.to",
      n: "metadata.n",
    },
  })) as unknown as { thread_id: string; extracted: unknown }[];
  expect(rows).toEqual([
    {
      thread_id: ids[2],
      extracted: { last: null, first: null, to: null, n: 2 },
    },
    {
      thread_id: ids[3],
      extracted: { last: null, first: null, to: "Ada", n: 3 },
    },
    {
      thread_id: ids[4],
      extracted: {
        last: 'You said "hello". That was message 1 from you in this thread.',
        first: "hello",
        to: null,
        n: 4,
      },
    },
  ]);
});

test("what cannot be searched for is refused with the name of the field", async () => {
  const paths = Array.from({ length: 11 }, (_, n) => [`p${n}`, "values.x"]);
  const refused: [field: string, body: object][] = [
    ["limit", { limit: 0 }],
    ["limit", { limit: 1001 }],
    ["offset", { offset: -1 }],
    ["status", { status: "asleep" }],
    ["sort_by", { sort_by: "metadata" }],
    ["sort_order", { sort_order: "up" }],
    ["select", { select: ["thread_id", "secrets"] }],
    ["extract", { extract: { a: "kwargs.input" } }],
    ["extract", { extract: Object.fromEntries(paths) }],
    ["ids", { ids: ["one"] }],
  ];
  for (const [field, body] of refused) {
    const answer = await server.send("POST", "/threads/search", body);
    const { detail } = (await answer.json()) as { detail: string };
    expect([answer.status, detail]).toEqual([
      422,
      expect.stringMatching(new RegExp(`^${field}`)),
    ]);
  }
});

test("count counts what search would find", async () => {
  const { threads } = server.client;
  expect(await threads.count({ metadata: { batch } })).toBe(5);
  expect(await threads.count({ metadata: { batch, n: 3 } })).toBe(1);
  expect(await threads.count({ metadata: { batch }, status: "idle" })).toBe(4);
  const values = { to: "Ada" } as never;
  expect(await threads.count({ metadata: { batch }, values })).toBe(1);
  const wrong = threads.count({ status: "asleep" as "idle" });
  expect((await refusal(wrong)).status).toBe(422);
});

test("the count of the threads of a tenant that wait or have failed follows their runs", async () => {
  const { threads, runs } = server.client;
  const tenant = randomUUID();
  const metadata = { tenant };
  const counts = () =>
    Promise.all(
      (["interrupted", "error", "idle"] as const).map((status) =>
        threads.count({ metadata, status }),
      ),
    );
  const { thread_id: first } = await threads.create({ metadata });
  const { thread_id: second } = await threads.create({ metadata });
  const { thread_id: third } = await threads.create({ metadata });
  await runs.wait(first, "approval", { input: { to: "Ada" } });
  await runs.wait(second, "approval", { input: { to: "Bob" } });
  await runs.wait(third, "failing", {
    input: { item: "lamp", stock: 0 },
    raiseError: false,
  });
  expect(await counts()).toEqual([2, 1, 0]);
  await runs.wait(first, "approval", { command: { resume: "yes" } });
  expect(await counts()).toEqual([1, 1, 1]);
  await threads.update(second, { metadata: { tenant: "another" } });
  await threads.delete(third);
  expect(await counts()).toEqual([0, 0, 1]);
});
