import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ANONYMOUS } from "../../src/auth/caller.ts";
import { uuid7 } from "../../src/lib/uuid.ts";
import {
  assistantCreate,
  assistantPatch,
} from "../../src/model/assistant-requests.ts";
import {
  statelessRunCreate,
  threadRunCreate,
} from "../../src/model/run-requests.ts";
import {
  createStatelessRun,
  createThreadRun,
} from "../../src/services/accept-run.ts";
import {
  activateAssistantVersion,
  changeAssistant,
  createAssistant,
} from "../../src/services/assistant-changes.ts";
import type { RunDeps } from "../../src/services/run-deps.ts";
import { deleteAssistants } from "../../src/storage/assistants.ts";
import type { Database } from "../../src/storage/database.ts";
import { listRuns } from "../../src/storage/runs.ts";
import { sql, type Sql } from "../../src/storage/sql.ts";
import { openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { isOnPostgres } from "../support/postgres.ts";
import { openRunQueue, type RunQueue } from "../support/run-queue.ts";
import { seam } from "../support/seam.ts";

/*
 * Most runs are accepted by what was known of their assistant, in one go. That
 * must not show: an assistant that has changed since is used as it is now, and a
 * run whose acceptance was answered to nobody is there once.
 */

let opened: TestDatabase;
let queue: RunQueue;

beforeAll(async () => {
  opened = await openTestDatabase();
  queue = await openRunQueue(opened.database);
});

afterAll(() => opened.close());

/** The same server, on a database that does some things in another way. */
const on = (database: Database): RunDeps => ({ ...queue.deps, database });

const run = (
  thread_id: string,
  request: Record<string, unknown> = {},
  deps = queue.deps,
) =>
  createThreadRun(deps, ANONYMOUS, {
    thread_id,
    request: threadRunCreate.parse({
      assistant_id: "agent",
      if_not_exists: "create",
      ...request,
    }),
  });

const stateless = (request: Record<string, unknown>, deps = queue.deps) =>
  createStatelessRun(deps, ANONYMOUS, {
    request: statelessRunCreate.parse({ assistant_id: "agent", ...request }),
  });

const assistant = (content: Record<string, unknown> = {}) =>
  createAssistant(
    queue.deps,
    ANONYMOUS,
    assistantCreate.parse({ graph_id: "agent", ...content }),
  );

const change = (assistant_id: string, patch: Record<string, unknown>) =>
  changeAssistant(queue.deps, ANONYMOUS, {
    assistant_id,
    patch: assistantPatch.parse(patch),
  });

describe("an assistant that was known", () => {
  const limit = async (assistant_id: string) =>
    (await run(uuid7(), { assistant_id })).kwargs.config["recursion_limit"];

  it("is used as it is now when somebody has changed it", async () => {
    const { assistant_id } = await assistant({
      config: { recursion_limit: 1 },
    });
    expect(await limit(assistant_id)).toBe(1);
    await change(assistant_id, { config: { recursion_limit: 2 } });
    expect(await limit(assistant_id)).toBe(2);
    await activateAssistantVersion(queue.deps, ANONYMOUS, {
      assistant_id,
      version: 1,
    });
    expect(await limit(assistant_id)).toBe(1);
  });

  it("is used as it is now where others are in the way, too", async () => {
    const { assistant_id } = await assistant({
      config: { recursion_limit: 1 },
    });
    const thread_id = uuid7();
    const limitBehind = async () =>
      (await run(thread_id, { assistant_id })).kwargs.config["recursion_limit"];
    expect(await limitBehind()).toBe(1);
    expect(await limitBehind()).toBe(1);
    await change(assistant_id, { config: { recursion_limit: 2 } });
    expect(await limitBehind()).toBe(2);
    await opened.database.transaction((tx) =>
      deleteAssistants(tx, [assistant_id]),
    );
    // Whatever else would be wrong with it.
    for (const request of [{}, { multitask_strategy: "reject" }])
      await expect(
        run(thread_id, { assistant_id, ...request }),
      ).rejects.toMatchObject({
        code: "not_found",
        message: expect.stringContaining("No assistant found") as string,
      });
    const runs = await queue.runs(thread_id);
    expect(runs.map(({ q }) => q)).toEqual(["ready", "behind", "behind"]);
  });

  it("is not found when it is gone, and leaves nothing behind", async () => {
    const { assistant_id } = await assistant();
    await run(uuid7(), { assistant_id });
    await opened.database.transaction((tx) =>
      deleteAssistants(tx, [assistant_id]),
    );
    const thread_id = uuid7();
    await expect(run(thread_id, { assistant_id })).rejects.toMatchObject({
      code: "not_found",
      message: expect.stringContaining("No assistant found") as string,
    });
    await expect(stateless({ assistant_id })).rejects.toMatchObject({
      code: "not_found",
    });
    expect(await queue.runs(thread_id)).toEqual([]);
  });

  it("cannot be run when its graph is gone", async () => {
    await run(uuid7());
    const workers = { ...queue.deps.workers, graphs: () => [] };
    await expect(
      run(uuid7(), {}, { ...queue.deps, workers }),
    ).rejects.toMatchObject({
      message: expect.stringContaining('Graph "agent" not found') as string,
    });
  });

  it("is known to those only who may see it", async () => {
    const { assistant_id } = await assistant({ metadata: { owner: "ada" } });
    const as = (owner: string) =>
      createThreadRun(
        queue.deps,
        { ...ANONYMOUS, access: { owner } },
        {
          thread_id: uuid7(),
          request: threadRunCreate.parse({
            assistant_id,
            if_not_exists: "create",
            metadata: { owner },
          }),
        },
      );
    expect((await as("ada")).assistant_id).toBe(assistant_id);
    expect((await as("ada")).assistant_id).toBe(assistant_id);
    await expect(as("bob")).rejects.toMatchObject({ code: "not_found" });
    await change(assistant_id, { metadata: { owner: "bob" } });
    expect((await as("bob")).assistant_id).toBe(assistant_id);
    await expect(as("ada")).rejects.toMatchObject({ code: "not_found" });
  });
});

describe("a thread that is hidden from the caller", () => {
  it("gets no run", async () => {
    const thread_id = await queue.thread();
    await expect(
      createThreadRun(
        queue.deps,
        { ...ANONYMOUS, access: { owner: "ada" } },
        {
          thread_id,
          request: threadRunCreate.parse({
            assistant_id: "agent",
            if_not_exists: "create",
          }),
        },
      ),
    ).rejects.toMatchObject({ code: "not_found" });
    expect(await queue.runs(thread_id)).toEqual([]);
  });
});

describe("a run that is accepted at once", () => {
  it.skipIf(!isOnPostgres())("is one statement", async () => {
    const texts: string[] = [];
    const noted = <Row>(statement: Sql): Promise<Row[]> => {
      texts.push(statement.text(() => "?"));
      return opened.database.write(statement);
    };
    const deps = on(
      seam(opened.database, {
        query: noted,
        write: noted,
        transaction: () => Promise.reject(new Error("a transaction")),
      }),
    );
    await run(uuid7());
    const thread_id = await queue.thread();
    await run(uuid7(), {}, deps);
    await run(thread_id, { if_not_exists: "reject" }, deps);
    await stateless({}, deps);
    expect(texts).toHaveLength(3);
  });

  it("and its thread are as if it had been accepted with others in the way", async () => {
    const { assistant_id } = await assistant({
      metadata: { of: "assistant", assistant: 1, both: "assistant" },
    });
    const there = async () => {
      const thread_id = uuid7();
      await opened.database.transaction((tx) => {
        const before = tx.dialect.nowPlus(-1000); // so that a change in the same millisecond shows
        return tx.query(sql`
          insert into threads (thread_id, created_at, updated_at, state_updated_at, metadata, status)
          values (${thread_id}, ${before}, ${before}, ${before},
            ${'{"of": "thread", "thread": [1], "both": "thread", "graph_id": "old", "assistant_id": null}'}, 'interrupted')`);
      });
      return thread_id;
    };
    const request = {
      assistant_id,
      input: { text: "ä" },
      metadata: { of: "run", run: { a: null } },
    };
    const atOnce = await there();
    const slowly = await there();
    const first = await run(atOnce, request);
    const second = await run(slowly, request, withoutAtOnce());
    const of = async (thread_id: string) => {
      const [row] = await opened.database.query<Record<string, unknown>>(sql`
        select metadata, status, rest_status, rest_graph, rest_error, error, run_seq, temporary,
          state_updated_at > created_at as has_moved
        from threads where thread_id = ${thread_id}`);
      return row;
    };
    expect(await of(atOnce)).toEqual(await of(slowly));
    expect((await of(atOnce))?.["rest_graph"]).toEqual({
      graph_id: "old",
      assistant_id: null,
    });
    const bare = ({
      metadata,
      multitask_strategy,
      status,
      kwargs,
    }: typeof first) => ({
      ...{ metadata, multitask_strategy, status },
      kwargs: { ...kwargs, config: null },
    });
    expect(bare(first)).toEqual(bare(second));
    expect(first.metadata).toEqual({
      ...{ of: "run", assistant: 1, both: "thread", thread: [1] },
      ...{ graph_id: "agent", assistant_id, run: { a: null } },
    });
  });

  it.each(["delete", "keep"])(
    "is there once when the database was asked twice (%s)",
    async (on_completion) => {
      const accepted = await stateless({ on_completion }, askedTwice());
      const runs = await queue.runs(accepted.thread_id);
      expect(runs.map(({ run_id }) => run_id)).toEqual([accepted.run_id]);
    },
  );

  it("is there once on a thread, too, even if it has ended meanwhile", async () => {
    const owner = await queue.instance();
    for (const ends of [false, true]) {
      const thread_id = uuid7();
      const meanwhile = async () => {
        if (!ends) return;
        const claimed = await queue.claim(owner, 100);
        for (const one of claimed) await queue.finish(one);
      };
      const accepted = await run(thread_id, {}, askedTwice(meanwhile));
      const { runs } = await listRuns(opened.database, {
        ...{ thread_id, limit: 10, offset: 0 },
      });
      expect(runs.map(({ run_id }) => run_id)).toEqual([accepted.run_id]);
      expect(runs[0]?.status).toBe(ends ? "success" : "pending");
    }
  });

  /** As when the connection is lost with the answer: what was done is asked for again. */
  const askedTwice = (meanwhile = () => Promise.resolve()): RunDeps => {
    const twice = async <T>(ask: () => Promise<T>): Promise<T> => {
      await ask();
      await meanwhile();
      return ask();
    };
    let isFirst = true;
    const { database } = opened;
    return on(
      seam(database, {
        write: (statement) => twice(() => database.write(statement)),
        transaction: (fn) => {
          const again = isFirst && !isOnPostgres();
          isFirst = false;
          return again
            ? twice(() => database.transaction(fn))
            : database.transaction(fn);
        },
      }),
    );
  };
});

/** A server that finds somebody in the way of everything. */
function withoutAtOnce(): RunDeps {
  const { database } = opened;
  let transactions = 0;
  return on(
    seam(database, {
      write: () => Promise.resolve([]),
      transaction: (fn) =>
        !isOnPostgres() && transactions++ === 0
          ? Promise.resolve([] as never)
          : database.transaction(fn),
    }),
  );
}
