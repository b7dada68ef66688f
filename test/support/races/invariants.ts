import { expect } from "vitest";
import { recordEnd } from "../../../src/engine/finish-run.ts";
import { promoteDueRuns, reapExpired } from "../../../src/engine/recovery.ts";
import type { Database } from "../../../src/storage/database.ts";
import { claimRuns } from "../../../src/storage/run-queue.ts";
import { sql } from "../../../src/storage/sql.ts";
import type { World } from "./worlds.ts";

interface Row {
  thread_id: string;
  run_id: string;
  seq: number;
  q: string;
  status: string;
  owner: string | null;
}

/** What holds between any two transactions. */
export async function checkInvariants(database: Database): Promise<void> {
  const [threads, all, torn, owners] = await Promise.all([
    database.query<{ thread_id: string; status: string; run_seq: number }>(
      sql`select thread_id, status, run_seq from threads`,
    ),
    database.query<Row>(
      sql`select thread_id, run_id, seq, q, status, owner from runs order by seq`,
    ),
    database.query(sql`
      select checkpoint_id, channels from checkpoints
      where not exists (
        select 1 from checkpoint_values
        where checkpoint_values.thread_id = checkpoints.thread_id
          and hash = 'hash ' || checkpoint_id)`),
    database.query<{ instance_id: string }>(
      sql`select instance_id from instances`,
    ),
  ]);
  expect(torn, "checkpoints without their values").toEqual([]);
  for (const { thread_id, status, run_seq } of threads) {
    const runs = all.filter((run) => run.thread_id === thread_id);
    const unfinished = runs.filter(({ q }) => q !== "done");
    const turns = runs.filter(({ q }) => q === "ready" || q === "running");
    expect(turns.length, "runs with the turn").toBeLessThanOrEqual(1);
    if (runs.some(({ q }) => q === "behind"))
      expect(turns.length, "turns where runs wait behind").toBe(1);
    expect(status === "busy", "the thread is busy").toBe(unfinished.length > 0);
    for (const { q, owner, seq, status: shown } of runs) {
      expect(seq).toBeLessThanOrEqual(run_seq);
      expect(shown === "running").toBe(q === "running");
      const isOwned = owners.some(({ instance_id }) => instance_id === owner);
      expect(isOwned, "its owner is there").toBe(q === "running");
    }
  }
}

/** Nothing is stuck: with one live instance every run ends, each thread's in their order. */
export async function checkEverythingEnds(
  database: Database,
  { alive, queue, held, runs }: World,
): Promise<void> {
  await database.transaction((tx) =>
    tx.query(
      sql`update instances set lease_until = ${new Date(0)} where instance_id <> ${alive}`,
    ),
  );
  await reapExpired({ database, log: queue.deps.log });
  const mine = await database.query<{
    run_id: string;
    thread_id: string;
    attempt: number;
  }>(sql`select run_id, thread_id, attempt from runs where q = 'running'`);
  const end = { status: "success", error: null, snapshot: null } as const;
  const finish = (run: (typeof mine)[number]) =>
    database.transaction((tx) =>
      recordEnd(tx, {
        run: { ...held, webhook: null, ...run },
        end,
        segment: null,
      }),
    );
  for (const run of mine) expect(await finish(run)).not.toBe("lost");
  const delayed = await database.query<{ run_id: string }>(
    sql`select run_id from runs where q = 'delayed'`,
  );
  const late = [runs.R3, ...delayed.map(({ run_id }) => run_id)];
  await database.transaction((tx) =>
    tx.query(sql`update runs set run_at = ${new Date(0)} where q <> 'done'`),
  );
  await promoteDueRuns(database);
  for (;;) {
    const [next] = await claimRuns(database, { owner: alive, limit: 1 });
    if (next === undefined) break;
    const before = await database.query(sql`
      select run_id from runs
      where thread_id = ${next.thread_id} and q <> 'done'
        and not (${database.dialect.isMember(sql`run_id`, late)})
        and seq < (select seq from runs where run_id = ${next.run_id})`);
    expect(before, "runs that were before the one that was claimed").toEqual(
      [],
    );
    expect(await finish(next)).not.toBe("lost");
  }
  const left = await database.query(
    sql`select run_id, q from runs where q <> 'done'`,
  );
  expect(left, "runs that are stuck").toEqual([]);
  await checkInvariants(database);
}
