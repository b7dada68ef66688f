import { beforeEach, describe, expect, test } from "vitest";
import type { Json, JsonObject } from "../../src/lib/json.ts";
import { uuid7 } from "../../src/lib/uuid.ts";
import { systemAssistantId } from "../../src/model/assistant.ts";
import type { Cron } from "../../src/model/cron.ts";
import { registerGraphs } from "../../src/services/system-assistants.ts";
import { insertAssistant } from "../../src/storage/assistants.ts";
import { sql } from "../../src/storage/sql.ts";
import type { Workers } from "../../src/workers/port.ts";
import { NOBODY } from "../support/sdk.ts";
import { DataApp } from "../support/data-app.ts";
import { noWorkers } from "../support/threads.ts";
import { refusalOf, type Answer } from "../support/http.ts";

const app = new DataApp("crons");
const AGENT = systemAssistantId("agent");

/** Nothing asks them anything but which graphs there are. */
const workers: Workers = {
  ...noWorkers,
  graphs: () =>
    ["agent", "other"].map((graph_id) => ({
      graph_id,
      state: "loaded",
      milliseconds: 1,
    })),
};

beforeEach(async () => {
  app.serve({ workers });
  const graphs = workers
    .graphs()
    .map((graph) => ({ ...graph, description: null }));
  await registerGraphs(app, graphs, {});
});

const ok = (answer: Answer): Json => {
  expect([answer.status, answer.body]).toEqual([200, expect.anything()]);
  return answer.body;
};

const create = async (body: object = {}, path = "/runs/crons"): Promise<Cron> =>
  ok(
    await app.post(path, {
      schedule: "0 9 * * *",
      assistant_id: "agent",
      ...body,
    }),
  ) as unknown as Cron;

const patch = async ({ cron_id }: Cron, body: object): Promise<Cron> =>
  ok(
    await app.send(["PATCH", `/runs/crons/${cron_id}`], body),
  ) as unknown as Cron;

const read = async ({ cron_id }: Cron): Promise<Cron> =>
  ok(await app.get(`/runs/crons/${cron_id}`)) as unknown as Cron;

describe("creating", () => {
  test("a schedule and an assistant are all it takes", async () => {
    const cron = await create();
    expect(cron).toEqual({
      cron_id: expect.stringMatching(/^[0-9a-f-]{14}7/),
      assistant_id: AGENT,
      thread_id: null,
      on_run_completed: "delete",
      schedule: "0 9 * * *",
      timezone: null,
      end_time: null,
      enabled: true,
      next_run_date: expect.stringMatching(/T09:00:00.000Z$/),
      user_id: null,
      metadata: {},
      payload: { assistant_id: AGENT, metadata: {} },
      created_at: expect.any(String),
      updated_at: cron.created_at,
    });
    expect(Date.parse(cron.next_run_date ?? "")).toBeGreaterThan(Date.now());
    expect(await read(cron)).toEqual(cron);
  });

  test("everything that its runs are created with is kept, and null says nothing", async () => {
    const run = {
      input: { messages: [{ role: "user", content: "hi" }] },
      config: { tags: ["a"], configurable: { who: 1 } },
      context: { tone: "kind" },
      webhook: "https://example.com/done",
      interrupt_before: "*",
      interrupt_after: ["a", "b"],
      stream_mode: ["values", "updates"],
      stream_subgraphs: true,
      stream_resumable: true,
      durability: "exit",
    };
    const cron = await create({
      ...run,
      metadata: { team: "blue" },
      end_time: null,
      timezone: null,
    });
    expect(cron.payload).toEqual({
      ...run,
      assistant_id: AGENT,
      metadata: { team: "blue" },
    });
    const { payload } = await create({
      input: null,
      webhook: null,
      checkpoint_during: false,
    });
    expect(payload).toEqual({
      assistant_id: AGENT,
      durability: "exit",
      metadata: {},
    });
  });

  test("a cron of a thread runs there, and has nothing to do with the end of its runs", async () => {
    const { thread_id } = await app.thread();
    const cron = await create(
      { multitask_strategy: "interrupt", on_run_completed: "keep" },
      `/threads/${thread_id}/runs/crons`,
    );
    expect(cron).toMatchObject({
      thread_id,
      on_run_completed: null,
      payload: { multitask_strategy: "interrupt" },
    });
    await app.send(["DELETE", `/threads/${thread_id}`]);
    expect(refusalOf(await app.get(`/runs/crons/${cron.cron_id}`))).toEqual([
      404,
      "Cron not found",
    ]);
  });

  test("a cron that is disabled waits for nothing", async () => {
    const cron = await create({ enabled: false });
    expect(cron).toMatchObject({ enabled: false, next_run_date: null });
  });

  test("the time of day is that of the time zone", async () => {
    const { next_run_date } = await create({ timezone: "Asia/Tokyo" });
    expect(next_run_date).toMatch(/T00:00:00.000Z$/);
  });

  test("an end time without a zone is in UTC", async () => {
    for (const end_time of [
      "2999-01-01T00:00:00",
      "2999-01-01T01:00:00+01:00",
      "2999-01-01T00:00:00.000000Z",
    ])
      // prettier-ignore
      expect(await create({ end_time })).toMatchObject({
        end_time: "2999-01-01T00:00:00.000Z",
      });
  });

  test("an assistant goes with its crons", async () => {
    const assistant_id = uuid7();
    await app.database.transaction((tx) =>
      insertAssistant(tx, assistant_id, {
        ...{ graph_id: "agent", name: "a", description: null },
        ...{ config: {}, context: {}, metadata: {} },
      }),
    );
    const cron = await create({ assistant_id });
    expect(cron.assistant_id).toBe(assistant_id);
    await app.send(["DELETE", `/assistants/${assistant_id}`]);
    expect((await app.get(`/runs/crons/${cron.cron_id}`)).status).toBe(404);
  });

  test("the headers of its creator stay with it, and are not shown", async () => {
    app.serve({
      workers,
      http: { configurableHeaders: { includes: ["x-team"], excludes: [] } },
    });
    const answer = await app.send(
      ["POST", "/runs/crons"],
      { schedule: "0 9 * * *", assistant_id: "agent" },
      { "x-team": "blue" },
    );
    expect(JSON.stringify(ok(answer))).not.toContain("blue");
  });
});

describe("changing", () => {
  test("what is left out stays, metadata is merged, the rest replaces", async () => {
    const cron = await create({
      input: { a: 1 },
      context: { b: 1 },
      webhook: "https://example.com",
      metadata: { a: 1, b: 1 },
    });
    const changed = await patch(cron, {
      input: { c: 1 },
      webhook: null,
      metadata: { b: 2 },
      on_run_completed: "keep",
    });
    expect(changed).toEqual({
      ...cron,
      metadata: { a: 1, b: 2 },
      on_run_completed: "keep",
      payload: {
        assistant_id: AGENT,
        input: { c: 1 },
        context: { b: 1 },
        metadata: { a: 1, b: 2 },
      },
      updated_at: expect.any(String),
    });
    expect(await read(cron)).toEqual(changed);
    expect(await patch(cron, {})).toMatchObject({ payload: changed.payload });
  });

  test("schedule, time zone, end time and `enabled` move the next date", async () => {
    const cron = await create();
    const next = async (change: object) =>
      (await patch(cron, change)).next_run_date;
    expect(await next({ schedule: "30 12 * * *" })).toMatch(/T12:30:00/);
    expect(await next({ timezone: "Asia/Tokyo" })).toMatch(/T03:30:00/);
    expect(await next({ timezone: null })).toMatch(/T12:30:00/);
    const soon = new Date(Date.now() + 1000).toISOString();
    expect(await next({ schedule: "0 0 1 1 *", end_time: soon })).toBeNull();
    expect(await next({ end_time: null })).toMatch(/-01-01T00:00:00/);
    expect(await next({ enabled: false })).toBeNull();
    expect(await next({ schedule: "30 12 * * *" })).toBeNull();
    expect(await next({ enabled: true })).toMatch(/T12:30:00/);
  });

  test("a date that is due stays due when nothing about it changes", async () => {
    const cron = await create();
    await app.database.transaction((tx) =>
      tx.query(sql`update crons set next_run_date = ${new Date(1000)}`),
    );
    const again = { schedule: cron.schedule, timezone: null, enabled: true };
    expect(await patch(cron, { ...again, input: 1 })).toMatchObject({
      next_run_date: "1970-01-01T00:00:01.000Z",
    });
  });
});

describe("finding", () => {
  const search = async (body: object = {}) =>
    ok(await app.post("/runs/crons/search", body)) as JsonObject[];
  const count = async (body: object = {}) =>
    ok(await app.post("/runs/crons/count", body));
  const names = (crons: JsonObject[]) =>
    crons.map(({ metadata }) => (metadata as JsonObject)["name"]);

  /** `a` to `d`, one after the other. */
  async function four() {
    const { thread_id } = await app.thread();
    const named = (name: string) => ({ metadata: { name, team: "blue" } });
    const a = await create({ ...named("a"), schedule: "0 3 1 1 *" });
    const b = await create({ ...named("b"), assistant_id: "other" });
    const c = await create(
      { ...named("c"), metadata: { name: "c" }, schedule: "0 2 1 1 *" },
      `/threads/${thread_id}/runs/crons`,
    );
    const d = await create({ ...named("d"), enabled: false });
    // One after the other, however fast they were made.
    for (const [index, { cron_id }] of [a, b, c, d].entries())
      await app.database.transaction((tx) =>
        tx.query(
          sql`update crons set created_at = ${new Date(index)} where cron_id = ${cron_id}`,
        ),
      );
    return { a, b, c, d, thread_id };
  }

  test("the newest comes first, and each filter narrows it", async () => {
    const { thread_id } = await four();
    expect(names(await search())).toEqual(["d", "c", "b", "a"]);
    const cases: [filter: object, found: string[]][] = [
      [{ assistant_id: "agent" }, ["d", "c", "a"]],
      [{ assistant_id: AGENT.toUpperCase() }, ["d", "c", "a"]],
      [{ assistant_id: systemAssistantId("other") }, ["b"]],
      [{ assistant_id: "nobody" }, []],
      [{ thread_id }, ["c"]],
      [{ thread_id: NOBODY }, []],
      [{ metadata: { team: "blue" } }, ["d", "b", "a"]],
      [{ metadata: {} }, ["d", "c", "b", "a"]],
    ];
    for (const [filter, found] of cases) {
      expect([filter, names(await search(filter))]).toEqual([filter, found]);
      expect([filter, await count(filter)]).toEqual([filter, found.length]);
    }
    expect(names(await search({ enabled: false }))).toEqual(["d"]);
    expect(names(await search({ enabled: "true" }))).toEqual(["c", "b", "a"]);
  });

  test("pages are told in headers, and sorted as is asked; who has nothing to sort by comes last", async () => {
    await four();
    const answer = await app.post("/runs/crons/search", { limit: 3 });
    expect(answer.headers.get("x-pagination-total")).toBe("4");
    expect(answer.headers.get("x-pagination-next")).toBe("3");
    expect(names(await search({ limit: 3, offset: 3 }))).toEqual(["a"]);
    const by = async (sort_order: string) =>
      names(await search({ sort_by: "next_run_date", sort_order }));
    expect(await by("asc")).toEqual(["b", "c", "a", "d"]);
    expect(await by("desc")).toEqual(["a", "c", "b", "d"]);
  });

  test("only what is selected is answered, and `now` is nothing", async () => {
    const { a } = await four();
    const body = { limit: 1, sort_order: "asc", select: ["now", "cron_id"] };
    expect(await search(body)).toEqual([{ cron_id: a.cron_id }]);
  });
});

test("a cron that is deleted is gone, and no other", async () => {
  const [one, other] = [await create(), await create()];
  const path = `/runs/crons/${one.cron_id}`;
  expect(await app.send(["DELETE", path])).toMatchObject({
    status: 204,
    body: "",
  });
  expect(refusalOf(await app.send(["DELETE", path]))).toEqual([
    404,
    "Cron not found",
  ]);
  await read(other);
});
