import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { askPostgres } from "../../test/support/ask-postgres.ts";
import type { PostgresCluster } from "../../test/support/postgres-cluster.ts";
import { Running, SPOOL } from "../compare/contender.ts";
import { Connections } from "../compare/load.ts";
import { treeOf } from "../compare/process-usage.ts";
import { newDatabase, startOn } from "./cluster.ts";

/** Seconds until a run goes on that somebody was executing. */
export interface Recovery {
  /** At another instance, after kill -9 of its own. Each try. */
  takeover: number[];
  /** At the same one, from when it answers again. */
  ownRestart: number[];
  /** After a Postgres that was away for 5 s is back: until a new run has ended. */
  databaseBack: number[];
}

const TRIES = 5;

export async function measureRecovery(
  cluster: PostgresCluster,
): Promise<Recovery> {
  const recovery: Recovery = { takeover: [], ownRestart: [], databaseBack: [] };
  const uri = await newDatabase(cluster, "recovery");
  for (let attempt = 0; attempt < TRIES; attempt += 1) {
    recovery.takeover.push(await takeover(uri));
    recovery.ownRestart.push(await ownRestart(uri));
  }
  for (let attempt = 0; attempt < 3; attempt += 1)
    recovery.databaseBack.push(await databaseBack(cluster, uri));
  return recovery;
}

async function startLongRun(server: Running): Promise<string> {
  await using one = new Connections(server.url, 1);
  const thread_id = randomUUID();
  const { run_id } = await one.json<{ run_id: string }>({
    method: "POST",
    path: `/threads/${thread_id}/runs`,
    body: {
      assistant_id: "sleeps",
      input: { count: 60_000 },
      if_not_exists: "create",
    },
  });
  return run_id;
}

/** Waits until the run is in its `attempt`-th attempt. */
async function untilAttempt(
  uri: string,
  runId: string,
  attempt: number,
): Promise<void> {
  for (;;) {
    const rows = await askPostgres(
      uri,
      `select 1 from runs where run_id = '${runId}' and q = 'running' and attempt >= ${attempt}`,
    );
    if (rows.length > 0) return;
    await sleep(20);
  }
}

function kill(server: Running): void {
  for (const pid of treeOf(server.pid))
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // gone with its parent
    }
}

async function takeover(uri: string): Promise<number> {
  const doomed = await startOn(uri);
  const runId = await startLongRun(doomed);
  await untilAttempt(uri, runId, 1);
  const other = await startOn(uri);
  await sleep(2000 + Math.random() * 3000); // anywhere in the heartbeat
  kill(doomed);
  const killed = performance.now();
  await untilAttempt(uri, runId, 2);
  const seconds = (performance.now() - killed) / 1000;
  await discard(uri, runId, other);
  return seconds;
}

async function ownRestart(uri: string): Promise<number> {
  const first = await startOn(uri);
  const runId = await startLongRun(first);
  await untilAttempt(uri, runId, 1);
  kill(first);
  const again = await Running.startIn(first.project, SPOOL, {
    POSTGRES_URI: uri,
  });
  const up = performance.now();
  await untilAttempt(uri, runId, 2);
  const seconds = (performance.now() - up) / 1000;
  await discard(uri, runId, again);
  return seconds;
}

async function databaseBack(
  cluster: PostgresCluster,
  uri: string,
): Promise<number> {
  const server = await startOn(uri);
  await using one = new Connections(server.url, 1);
  await cluster.stop("immediate");
  await sleep(5000);
  await cluster.start();
  const back = performance.now();
  await one.json({
    method: "POST",
    path: "/runs/wait",
    body: { assistant_id: "one-node", input: { text: "x", count: 1 } },
  });
  const seconds = (performance.now() - back) / 1000;
  await server.stop();
  return seconds;
}

/** The next try begins with an empty queue. */
async function discard(
  uri: string,
  runId: string,
  server: Running,
): Promise<void> {
  kill(server);
  await askPostgres(
    uri,
    `update runs set q = 'done', status = 'error', owner = null where run_id = '${runId}'`,
  );
  await askPostgres(uri, "delete from instances");
}
