import { describe, expect, test } from "vitest";
import type { JsonObject } from "../../src/lib/json.ts";
import { uuid7 } from "../../src/lib/uuid.ts";
import { DataApp } from "../support/data-app.ts";
import { fieldsOf } from "../support/http.ts";
import { giveValues } from "../support/threads.ts";

const app = new DataApp("threads");

const { post, get, thread: make } = app;

describe("POST /threads/prune", () => {
  test("deletes by default and counts what was there", async () => {
    const [a, b] = [await make(), await make()];
    const thread_ids = [a.thread_id, b.thread_id, uuid7()];
    expect((await post("/threads/prune", { thread_ids })).body).toEqual({
      pruned_count: 2,
    });
    expect((await get(`/threads/${a.thread_id}`)).status).toBe(404);
  });

  test("keep_latest keeps the threads", async () => {
    const { thread_id } = await make();
    const body = { thread_ids: [thread_id], strategy: "keep_latest" };
    expect((await post("/threads/prune", body)).body).toEqual({
      pruned_count: 1,
    });
    expect((await get(`/threads/${thread_id}`)).status).toBe(200);
  });

  test.each([
    ["thread_ids", {}],
    ["thread_ids", { thread_ids: null }],
    ["thread_ids[1]", { thread_ids: [uuid7(), "x"] }],
    ["strategy", { thread_ids: [], strategy: "all" }],
  ])("names the field %s of a wrong body", async (field, body) => {
    const answer = await post("/threads/prune", body);
    expect([answer.status, fieldsOf(answer)]).toEqual([422, [field]]);
  });
});

describe("POST /threads/search and /threads/count", () => {
  const found = async (body: object) => {
    const { body: rows } = await post("/threads/search", body);
    return (rows as JsonObject[]).map((row) => row["thread_id"]);
  };

  test("give rows, the total, and where the next page starts", async () => {
    for (let index = 0; index < 5; index += 1)
      await make({ metadata: { n: index % 2 } });
    const page = await post("/threads/search", { limit: 2, offset: 2 });
    expect(page.body).toHaveLength(2);
    expect(page.headers.get("X-Pagination-Total")).toBe("5");
    expect(page.headers.get("X-Pagination-Next")).toBe("4");
    const last = await post("/threads/search", { limit: 2, offset: 4 });
    expect(last.headers.get("X-Pagination-Total")).toBe("5");
    expect(last.headers.get("X-Pagination-Next")).toBeNull();
    expect((await post("/threads/count", { metadata: { n: 1 } })).body).toBe(2);
    expect((await post("/threads/count")).body).toBe(5);
    expect(
      (await post("/threads/search", { metadata: { n: 7 } })).body,
    ).toEqual([]);
  });

  test("find by everything that is asked for at once", async () => {
    const { thread_id } = await make({ metadata: { user: "ada" } });
    await make({ metadata: { user: "ada" } });
    await giveValues(app.database, thread_id, { topic: "tea", list: [1, 2] });
    const body = {
      metadata: { user: "ada" },
      values: { list: [2] },
      status: "idle",
      sort_by: "state_updated_at",
      sort_order: "asc",
    };
    expect(await found(body)).toEqual([thread_id]);
    expect(await found({ ...body, ids: [uuid7()] })).toEqual([]);
  });

  test("answer rows with the selected keys and what was extracted", async () => {
    const { thread_id } = await make();
    await giveValues(app.database, thread_id, {
      messages: [{ content: "hi" }],
    });
    const answer = await post("/threads/search", {
      select: ["thread_id", "context", "state_updated_at"],
      extract: {
        last: "values.messages[-1].content",
        none: "values.messages[7]",
      },
    });
    expect(answer.body).toEqual([
      {
        thread_id,
        state_updated_at: expect.any(String),
        extracted: { last: "hi", none: null },
      },
    ]);
  });

  test.each([
    ["limit", { limit: 0 }],
    ["limit", { limit: 1001 }],
    ["limit", { limit: -1 }],
    ["limit", { limit: 1.5 }],
    ["limit", { limit: "10" }],
    ["limit", { limit: 1e300 }],
    ["offset", { offset: -1 }],
    ["offset", { offset: 2 ** 60 }],
    ["ids[0]", { ids: ["x"] }],
    ["ids", { ids: "x" }],
    ["status", { status: "done" }],
    ["metadata", { metadata: "x" }],
    ["values", { values: [] }],
    ["sort_by", { sort_by: "metadata" }],
    ["sort_by", { sort_by: "updated_at; drop table threads" }],
    ["sort_order", { sort_order: "DESC" }],
    ["select[1]", { select: ["thread_id", "secret"] }],
    ["select", { select: "thread_id" }],
    ["extract.a", { extract: { a: "error.message" } }],
    ["extract.a", { extract: { a: "values..b" } }],
    ["extract.a", { extract: { a: 7 } }],
    ["extract", { extract: ["values"] }],
    [
      "extract",
      {
        extract: Object.fromEntries(
          Array.from({ length: 11 }, (_, n) => [`a${n}`, "values"]),
        ),
      },
    ],
  ])("name the field %s of a wrong body", async (field, body) => {
    const answer = await post("/threads/search", body);
    expect(answer.status).toBe(422);
    expect(new Set(fieldsOf(answer))).toEqual(new Set([field]));
  });

  test("take a thousand rows, ten extracts and the largest offset", async () => {
    const extract = Object.fromEntries(
      Array.from({ length: 10 }, (_, n) => [`a${n}`, "values"]),
    );
    const body = { limit: 1000, offset: Number.MAX_SAFE_INTEGER, extract };
    expect(await post("/threads/search", body)).toMatchObject({
      status: 200,
      body: [],
    });
  });

  test("take null for absent", async () => {
    await make();
    const names =
      "ids metadata values status limit offset sort_by sort_order select extract";
    const nulls = Object.fromEntries(
      names.split(" ").map((name) => [name, null]),
    );
    expect(await found(nulls)).toHaveLength(1);
    expect((await post("/threads/count", nulls)).body).toBe(1);
  });
});
