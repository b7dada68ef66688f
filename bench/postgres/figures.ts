import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { askPostgres } from "../../test/support/ask-postgres.ts";
import type { PostgresCluster } from "../../test/support/postgres-cluster.ts";
import {
  Connections,
  load,
  type Latencies,
  type Request,
} from "../compare/load.ts";
import { newDatabase, slowLine, startOn } from "./cluster.ts";

const post = (path: string, body: unknown): Request => ({
  method: "POST",
  path,
  body,
});

const wait = (assistant_id: string, input: object): Request =>
  post(`/threads/${randomUUID()}/runs/wait`, {
    ...{ assistant_id, input },
    if_not_exists: "create",
  });

const oneNode = (): Request => wait("one-node", { text: "x", count: 1 });

const sleeps = (ms: number): Request => wait("sleeps", { count: ms });

/** What the database was asked since the last reset, by a server on it. */
const STATEMENTS = `
  select sum(calls)::int as calls from pg_stat_statements
  where dbid = (select oid from pg_database where datname = current_database())
    and query not like '%pg_stat_statements%'`;

interface Statements {
  /** Of a run of one node, in all. */
  perRun: number;
  /** What each further superstep adds, beside a run of one that takes as long. */
  perSuperstep: number;
  /** Of a server that has nothing to do. */
  idlePerSecond: number;
}

export async function countStatements(
  cluster: PostgresCluster,
): Promise<Statements> {
  const uri = await newDatabase(cluster, "statements");
  const server = await startOn(uri);
  try {
    await using one = new Connections(server.url, 1);
    await load(one, oneNode, { seconds: 5 });
    const counted = async (fn: () => Promise<unknown>): Promise<number> => {
      await askPostgres(uri, "select pg_stat_statements_reset()");
      await fn();
      const [row] = await askPostgres<{ calls: number }>(uri, STATEMENTS);
      return row?.calls ?? 0;
    };
    const idlePerSecond = (await counted(() => sleep(60_000))) / 60;
    const perRunOf = async (
      request: () => Request,
      runs: number,
    ): Promise<number> => {
      const before = performance.now();
      const calls = await counted(() =>
        load(one, request, { seconds: 600, count: runs }),
      );
      const seconds = (performance.now() - before) / 1000;
      return (calls - idlePerSecond * seconds) / runs;
    };
    const steps = await perRunOf(() => wait("steps", { count: 12 }), 20);
    const oneAsLong = await perRunOf(() => sleeps(1250), 20);
    return {
      perRun: await perRunOf(oneNode, 200),
      perSuperstep: (steps - oneAsLong) / 11,
      idlePerSecond,
    };
  } finally {
    await server.stop();
  }
}

/** `runs/wait`, with the database beside and with it 20 ms away. */
export async function measureLatency(
  cluster: PostgresCluster,
): Promise<{ beside: Latencies; far: Latencies }> {
  const uri = await newDatabase(cluster, "latency");
  const measure = async (at: string): Promise<Latencies> => {
    const server = await startOn(at);
    try {
      await using one = new Connections(server.url, 1);
      await load(one, oneNode, { seconds: 4 });
      return await load(one, oneNode, { seconds: 10 });
    } finally {
      await server.stop();
    }
  };
  const beside = await measure(uri);
  const line = await slowLine(cluster.port, 10);
  const farUri = uri.replace(`:${cluster.port}/`, `:${line.port}/`);
  const far = await measure(farUri);
  line.close();
  return { beside, far };
}

/** A hundred runs at once, each of 2 s, on a pool of 5: seconds until all are done, and the most connections seen. */
export async function measurePool(
  cluster: PostgresCluster,
): Promise<{ seconds: number; connections: number }> {
  const uri = await newDatabase(cluster, "pool");
  const server = await startOn(uri, {
    LANGGRAPH_POSTGRES_POOL_MAX_SIZE: "5",
    N_JOBS_PER_WORKER: "100",
  });
  try {
    await using many = new Connections(server.url, 100);
    await load(many, () => sleeps(1), { seconds: 3 });
    let connections = 0;
    let isDone = false;
    const looking = (async () => {
      while (!isDone) {
        const [row] = await askPostgres<{ n: number }>(
          uri,
          `select count(*)::int as n from pg_stat_activity where application_name = 'spool' and datname = current_database()`,
        );
        connections = Math.max(connections, row?.n ?? 0);
        await sleep(100);
      }
    })();
    const before = performance.now();
    await load(many, () => sleeps(2000), { seconds: 60, count: 100 });
    const seconds = (performance.now() - before) / 1000;
    isDone = true;
    await looking;
    return { seconds, connections };
  } finally {
    await server.stop();
  }
}

/** Runs per second of graphs that sleep for 200 ms, ten at a time per instance. */
export async function measureInstances(
  cluster: PostgresCluster,
): Promise<{ one: number; two: number }> {
  const rate = async (count: number): Promise<number> => {
    const uri = await newDatabase(cluster, `instances_${count}`);
    const first = await startOn(uri);
    const others = await Promise.all(
      Array.from({ length: count - 1 }, () => startOn(uri)),
    );
    try {
      await using many = new Connections(first.url, 40);
      await load(many, () => sleeps(200), { seconds: 4 });
      return (await load(many, () => sleeps(200), { seconds: 10 })).perSecond;
    } finally {
      for (const server of [first, ...others]) await server.stop();
    }
  };
  return { one: await rate(1), two: await rate(2) };
}

export const THREADS = 1_000_000;

const FILL = `
  insert into threads (thread_id, created_at, updated_at, state_updated_at, metadata, status)
  select gen_random_uuid()::text, at, at, at,
    jsonb_build_object('graph_id', 'one-node', 'team', case when n % 2 = 0 then 'common' else 'other' end, 'user', 'u' || n % 10000)
      || case when n % 10000 = 0 then '{"flag":"rare"}'::jsonb else '{}' end,
    case when n % 100 = 0 then 'interrupted' when n % 5000 = 1 then 'error' else 'idle' end
  from (select n, date_trunc('milliseconds', now() - n * interval '1 second') as at
    from generate_series(FROM, TO) as n) as numbers`;

/** The totals that the triggers keep, made at once. */
const TOTALS = [
  "insert into thread_status_totals (status, shard, total) select status, 0, count(*) from threads group by status",
  "insert into thread_metadata_entries (entry, shard, total) select unnest(metadata_entries(metadata) || stopped_entries(status, metadata)), 0, count(*) from threads group by 1",
  "alter table threads enable trigger user",
  "vacuum analyze",
];

/** Searches among a million threads. Milliseconds. */
export async function measureSearch(
  cluster: PostgresCluster,
): Promise<Record<string, Latencies>> {
  const uri = await newDatabase(cluster, "search");
  const server = await startOn(uri);
  try {
    await askPostgres(uri, "alter table threads disable trigger user");
    const step = 50_000;
    for (let from = 1; from <= THREADS; from += step)
      await askPostgres(
        uri,
        FILL.replace("FROM", String(from)).replace(
          "TO",
          String(from + step - 1),
        ),
      );
    for (const statement of TOTALS) await askPostgres(uri, statement);
    const searches: Record<string, object> = {
      "status, most": { status: "idle" },
      "status, few": { status: "interrupted" },
      "status, rare": { status: "error" },
      "metadata, half": { metadata: { team: "common" } },
      "metadata, a hundred": { metadata: { user: "u77" } },
      "metadata, rare": { metadata: { flag: "rare" } },
      "status and metadata": {
        status: "interrupted",
        metadata: { team: "common" },
      },
      "most and metadata": { status: "idle", metadata: { team: "common" } },
      "page 100": { offset: 990 },
    };
    const found: Record<string, Latencies> = {};
    await using four = new Connections(server.url, 4);
    for (const [name, filter] of Object.entries(searches)) {
      const search = () => post("/threads/search", { limit: 10, ...filter });
      await load(four, search, { seconds: 1 });
      found[name] = await load(four, search, { seconds: 4 });
    }
    return found;
  } finally {
    await server.stop();
  }
}
