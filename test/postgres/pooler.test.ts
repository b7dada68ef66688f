/** Two instances whose statements go through PgBouncer in transaction mode. */
import pg from "pg";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { sharedDatabase } from "../support/instances.ts";
import { leaveOut } from "../support/leave-out.ts";
import {
  hasPgBouncer,
  PgBouncer,
  SHARED_CONNECTIONS,
} from "../support/pgbouncer.ts";
import { collect } from "../support/sdk.ts";
import {
  startServer,
  type ServerOptions,
  type TestServer,
} from "../support/server.ts";
import { waitFor } from "../support/wait.ts";

vi.setConfig({ testTimeout: 90_000 });

/** Of a poll where notifications do not come, src/storage/postgres-hints.ts, on a loaded machine. */
const SOON_MS = 2000;

const MODES = [
  { how: "that listen at a direct address", isDirect: true },
  { how: "that have the pooler's address only, and poll", isDirect: false },
];

interface Pooled {
  pooler: PgBouncer;
  /** Accepts runs and executes none. */
  api: TestServer;
  executor: TestServer;
}

async function startPooled(isDirect: boolean): Promise<Pooled> {
  // They migrate it through the pooler.
  const database = await sharedDatabase({ migrated: false });
  const pooler = await PgBouncer.start(database.uri);
  onTestFinished(() => pooler[Symbol.asyncDispose]());
  const start = (options: ServerOptions) =>
    startServer({
      workers: 1,
      ...options,
      env: {
        ...options.env,
        POSTGRES_URI: pooler.uri,
        ...(isDirect && { POSTGRES_DIRECT_URI: database.uri }),
      },
    });
  const [api, executor] = await Promise.all([
    start({ env: { N_JOBS_PER_WORKER: "0" } }),
    start({ flags: ["--durability", "relaxed"] }),
  ]);
  return { pooler, api, executor };
}

if (!hasPgBouncer())
  leaveOut("behind a pooler", {
    reason: "no pgbouncer is installed",
    unless: "SPOOL_REQUIRE_PGBOUNCER",
  });

describe.skipIf(!hasPgBouncer()).each(MODES)(
  "instances $how",
  ({ isDirect }) => {
    test("stream what the other executes as it is made, again as it was, and cancel it", async () => {
      const { api, executor } = await startPooled(isDirect);
      const { thread_id } = await api.client.threads.create();
      const arrivals: number[] = [];
      const live = [];
      for await (const part of api.client.runs.stream(thread_id, "slow", {
        input: { steps: 10, seconds: 0.3 },
        streamMode: ["values", "updates"],
        streamResumable: true,
      })) {
        live.push(part);
        arrivals.push(performance.now());
      }
      const waits = arrivals.slice(1).map((at, n) => at - (arrivals[n] ?? at));
      expect(Math.max(...waits)).toBeLessThan(SOON_MS);
      expect(live.at(-1)).toMatchObject({ event: "end" });
      const [run] = await executor.client.runs.list(thread_id);
      expect(
        await collect(
          executor.client.runs.joinStream(thread_id, run!.run_id, {
            lastEventId: "-1",
          }),
        ),
      ).toEqual(live);

      const slow = await executor.client.runs.create(thread_id, "slow", {
        input: { steps: 1000, seconds: 0.05 },
      });
      await waitFor("it runs", async () => {
        const { status } = await api.client.runs.get(thread_id, slow.run_id);
        return status === "running";
      });
      const asked = performance.now();
      await api.client.runs.cancel(thread_id, slow.run_id, true);
      expect(performance.now() - asked).toBeLessThan(SOON_MS);
      const { status } = await executor.client.runs.get(thread_id, slow.run_id);
      expect(status).toBe("interrupted");
    });

    test("leave nothing of theirs on connections that others have next", async () => {
      const { pooler, executor } = await startPooled(isDirect);
      await executor.client.runs.wait(null, "slow", {
        input: { steps: 1, seconds: 0 },
      });
      const clients = Array.from(
        { length: SHARED_CONNECTIONS },
        () => new pg.Client({ connectionString: pooler.uri }),
      );
      onTestFinished(async () => {
        for (const client of clients) await client.end();
      });
      for (const client of clients) {
        await client.connect();
        await client.query("begin"); // so that none is had twice
        const { rows } = await client.query(
          `select current_setting('synchronous_commit') as commits,
           current_setting('idle_in_transaction_session_timeout') as silence,
           (select count(*) from pg_listening_channels()) as channels`,
        );
        expect(rows).toEqual([{ commits: "on", silence: "0", channels: "0" }]);
      }
    });

    test("lose nothing when the pooler goes and comes back", async () => {
      const { pooler, api } = await startPooled(isDirect);
      const { thread_id } = await api.client.threads.create();
      const { run_id } = await api.client.runs.create(thread_id, "slow", {
        input: { steps: 20, seconds: 0.2 },
      });
      await waitFor("some steps are done", async () => {
        const state = await api.client.threads.getState(thread_id);
        return ((state.values as { done?: unknown[] }).done?.length ?? 0) >= 3;
      });
      await pooler.stop();
      const created = api.client.threads.create();
      await pooler.start();
      const other = await created;
      expect(await api.client.threads.get(other.thread_id)).toBeTruthy();
      await api.client.runs.join(thread_id, run_id);
      const { values } = await api.client.threads.getState<{ done: number[] }>(
        thread_id,
      );
      expect(values.done).toEqual(Array.from({ length: 20 }, (_, n) => n + 1));
    });
  },
);
