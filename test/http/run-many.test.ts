import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Run } from "../../src/model/run.ts";
import {
  fixtureGraph,
  openTestApp,
  postJson,
  type TestApp,
} from "../support/apps.ts";
import { rowCounts } from "../support/bad-input.ts";
import { NOBODY } from "../support/sdk.ts";
import { refusalOfRuns } from "../support/engine-sql.ts";

/* Nothing executes runs here, so they stay pending. */

let server: TestApp;

beforeAll(async () => {
  const graphs = [fixtureGraph("linear", "state-graphs/linear.ts:graph")];
  server = await openTestApp({ graphs });
});
afterAll(() => server.close());

async function post<T>(path: string, body: unknown) {
  const response = await postJson(server.app, path, body);
  const text = await response.text();
  const answer = (text === "" ? null : JSON.parse(text)) as T;
  return { status: response.status, headers: response.headers, answer };
}

const batch = (items: unknown[]) => post<Run[]>("/runs/batch", items);

describe("a batch", () => {
  test("makes runs in its order, each on a thread of its own", async () => {
    const items = [1, 2, 3].map((n) => ({
      assistant_id: "linear",
      input: { n },
    }));
    const { status, headers, answer } = await batch(items);
    expect(status).toBe(200);
    expect(headers.get("content-location")).toBeNull();
    expect(answer.map(({ kwargs }) => kwargs.input)).toEqual(
      items.map(({ input }) => input),
    );
    expect(answer.map((run) => run.status)).toEqual(["pending", "pending", "pending"]); // prettier-ignore
    expect(new Set(answer.map(({ thread_id }) => thread_id)).size).toBe(3);
    for (const run of answer) {
      const path = `/threads/${run.thread_id}/runs/${run.run_id}`;
      const kept = await server.app.request(path);
      expect(await kept.json()).toEqual(run);
    }
  });

  test("understands the names that JavaScript gives, and snake case wins", async () => {
    const { answer } = await batch([
      {
        assistantId: "linear",
        assistant_id: "linear",
        streamMode: ["updates"],
        streamSubgraphs: true,
        interruptBefore: ["a"],
        feedbackKeys: ["f"],
        strictResume: true,
        checkpointDuring: false,
        onCompletion: "keep",
      },
      { assistantId: "linear", streamMode: "values", stream_mode: "debug" },
    ]);
    expect(answer[0]?.kwargs).toMatchObject({
      stream_mode: ["updates"],
      subgraphs: true,
      interrupt_before: ["a"],
      feedback_keys: ["f"],
      strict_resume: true,
      durability: "exit",
      temporary: false,
    });
    expect(answer[1]?.kwargs).toMatchObject({
      stream_mode: ["debug"],
      temporary: true,
    });
  });

  test.each<[what: string, status: number, detail: string, item: unknown]>([
    ["a wrong field", 422, "body[1].after_seconds: ", { assistant_id: "linear", after_seconds: -1 }], // prettier-ignore
    ["an assistant that is not there", 404, `No assistant found for "${NOBODY}"`, { assistant_id: NOBODY }], // prettier-ignore
  ])("with %s makes no run at all", async (_what, status, detail, item) => {
    const before = await rowCounts(server.database);
    const refused = await post<{ detail: string }>("/runs/batch", [
      { assistant_id: "linear" },
      item,
      { assistant_id: "linear" },
    ]);
    expect(refused.status).toBe(status);
    expect(refused.answer.detail.slice(0, detail.length)).toBe(detail);
    expect(await rowCounts(server.database)).toEqual(before);
  });

  test("that cannot be stored to its end makes no run at all", async () => {
    const before = await rowCounts(server.database);
    const { create, drop } = refusalOfRuns(server.database.dialect, '"n":3');
    await server.database.script(create);
    const items = [1, 2, 3].map((n) => ({
      assistant_id: "linear",
      metadata: { n },
    }));
    expect((await batch(items)).status).toBe(500);
    await server.database.script(drop);
    expect(await rowCounts(server.database)).toEqual(before);
    expect((await batch(items)).status).toBe(200);
  });
});

describe("cancelling many", () => {
  const newThread = async () =>
    (await post<{ thread_id: string }>("/threads", {})).answer.thread_id;

  const newRun = async (thread: string) =>
    (
      await post<Run>(`/threads/${thread}/runs`, {
        assistant_id: "linear",
        after_seconds: 600,
      })
    ).answer.run_id;

  const statuses = async (thread: string) => {
    const answer = await server.app.request(`/threads/${thread}/runs`);
    const runs = (await answer.json()) as Run[];
    return runs.map(({ status }) => status).reverse();
  };

  const statusOf = async (thread: string) => {
    const answer = await server.app.request(`/threads/${thread}`);
    return ((await answer.json()) as { status: string }).status;
  };

  const cancel = (body: unknown, query = "") =>
    post<{ detail: string } | null>(`/runs/cancel${query}`, body);

  test("cancels the runs that are listed, and no others", async () => {
    const thread_id = await newThread();
    const ids = [];
    for (let n = 0; n < 3; n += 1) ids.push(await newRun(thread_id));
    const run_ids = [ids[0], ids[2]];
    expect(await cancel({ thread_id, run_ids })).toMatchObject({
      status: 204,
      answer: null,
    });
    expect(await statuses(thread_id)).toEqual(["interrupted", "pending", "interrupted"]); // prettier-ignore
    expect(await statusOf(thread_id)).toBe("busy");
    // Again, with those that have ended among them.
    expect((await cancel({ thread_id, run_ids: ids })).status).toBe(204);
    expect(await statusOf(thread_id)).toBe("idle");
  });

  test("cancels those that it finds, and says which it has not", async () => {
    const [thread_id, other] = [await newThread(), await newThread()];
    const [mine, foreign] = [await newRun(thread_id), await newRun(other)];
    expect(
      await cancel({ thread_id, run_ids: [NOBODY, mine, foreign] }),
    ).toMatchObject({
      status: 404,
      answer: { detail: `Run not found: ${NOBODY}, ${foreign}` },
    });
    expect(await statuses(thread_id)).toEqual(["interrupted"]);
    expect(await statuses(other)).toEqual(["pending"]);
    expect(
      await cancel({ thread_id: NOBODY, run_ids: [foreign] }),
    ).toMatchObject({ status: 404 });
    expect(await statuses(other)).toEqual(["pending"]);
  });

  test("rolls back: the runs are gone", async () => {
    const thread_id = await newThread();
    const run_ids = [await newRun(thread_id), await newRun(thread_id)];
    const { status } = await cancel({ thread_id, run_ids }, "?action=rollback");
    expect(status).toBe(204);
    expect(await statuses(thread_id)).toEqual([]);
    expect(await statusOf(thread_id)).toBe("idle");
  });

  test("cancels by status, on all threads, stateless runs too", async () => {
    const threads = [await newThread(), await newThread()];
    for (const thread of threads) await newRun(thread);
    const [stateless] = (await batch([{ assistant_id: "linear" }])).answer;
    expect((await cancel({ status: "running" })).status).toBe(204);
    for (const thread of threads)
      expect(await statuses(thread)).toEqual(["pending"]);
    expect((await cancel({ status: "pending" })).status).toBe(204);
    for (const thread of threads) {
      expect(await statuses(thread)).toEqual(["interrupted"]);
      expect(await statusOf(thread)).toBe("idle");
    }
    const gone = `/threads/${stateless?.thread_id}/runs/${stateless?.run_id}`;
    expect((await server.app.request(gone)).status).toBe(404);
    const byId = await server.app.request(`/runs/${stateless?.run_id}`);
    expect(await byId.json()).toMatchObject({ status: "interrupted" });
    expect((await cancel({ status: "all" })).status).toBe(204);
  });
});

describe("a run by its id alone", () => {
  test("is got, and is stopped", async () => {
    const [run] = (
      await batch([
        { assistant_id: "linear", after_seconds: 600, on_completion: "keep" },
      ])
    ).answer;
    const path = `/runs/${run?.run_id}`;
    expect(await (await server.app.request(path)).json()).toEqual(run);
    expect((await post(`${path}/cancel?wait=1`, {})).status).toBe(204);
    expect(await (await server.app.request(path)).json()).toMatchObject({
      status: "interrupted",
    });
    expect((await post(`${path}/cancel`, {})).status).toBe(409);
    expect((await post(`/runs/${NOBODY}/cancel`, {})).status).toBe(404);
    expect((await server.app.request(`/runs/${NOBODY}/join`)).status).toBe(404);
  });
});
