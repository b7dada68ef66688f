/** What became of a commit that was under way when the database crashed. */
import pg from "pg";
import { expect, onTestFinished, test } from "vitest";
import { raw } from "../../src/storage/sql.ts";
import { connectTo } from "../support/ask-postgres.ts";
import { PostgresCluster } from "../support/postgres-cluster.ts";
import { waitFor } from "../support/wait.ts";

const ID = "select cast(pg_current_xact_id() as text) as id";

/** So that the server has no reason of its own to write its log to the disk, or to take ids. */
const WRITES_LATE = {
  wal_level: "minimal",
  max_wal_senders: "0",
  wal_writer_delay: "10s",
  autovacuum: "off",
};

async function start() {
  const cluster = new PostgresCluster({ settings: WRITES_LATE });
  onTestFinished(() => cluster.remove());
  await cluster.start();
  const database = connectTo(cluster.uri());
  onTestFinished(() => database.close());
  await database.script("create table counted (number integer)");
  return { cluster, database };
}

/** Somebody else, who comes as soon as the database is back. */
async function other<T>(
  cluster: PostgresCluster,
  act: (client: pg.Client) => Promise<T>,
): Promise<T> {
  return waitFor("the database is back", async () => {
    const client = new pg.Client({ connectionString: cluster.uri() });
    client.on("error", () => {});
    try {
      await client.connect();
      return (await act(client)) ?? true;
    } finally {
      await client.end().catch(() => {});
    }
  }) as Promise<T>;
}

const CRASHES: Record<string, (cluster: PostgresCluster) => Promise<void>> = {
  "of the server": async (cluster) => {
    await cluster.stop("immediate");
    await cluster.start();
  },
  "of one of its processes": async (cluster) => {
    const pid = await other(cluster, async (client) => {
      const { rows } = await client.query<{ pid: number }>(
        "select pg_backend_pid() as pid",
      );
      process.kill(rows[0]!.pid, "SIGKILL");
      return rows[0]!.pid;
    });
    await waitFor("all have been ended", () => !isAlive(pid));
  },
};

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

/** A transaction that a crash takes. Gives its ids, and that of another one after the crash. */
async function crashInTransaction(
  { cluster, database }: Awaited<ReturnType<typeof start>>,
  how: string,
) {
  const ids: string[] = [];
  let next = "";
  await database.transaction(async (tx) => {
    const [row] = await tx.query<{ id: string }>(raw(ID));
    ids.push(row!.id);
    await tx.query(raw("insert into counted values (1)"));
    if (ids.length > 1) return;
    await CRASHES[how]!(cluster);
    next = await other(cluster, async (client) => {
      for (;;) {
        const { rows } = await client.query<{ id: string }>(
          `insert into counted values (2) returning (${ID})`,
        );
        const { id } = rows[0]!;
        if (Number(id) >= Number(ids[0])) return id;
      }
    });
  });
  return { ids, next };
}

test.each(Object.keys(CRASHES))(
  "a transaction that a crash %s has taken is done anew, though another one has been given its id",
  async (how) => {
    const started = await start();
    // An id is given again only when nothing that bears it has come to the disk, which the server is free to do.
    for (let time = 1; ; time += 1) {
      const { ids, next } = await crashInTransaction(started, how);
      expect(ids).toHaveLength(2);
      const mine = raw("select number from counted where number = 1");
      expect(await started.database.query(mine)).toHaveLength(time);
      if (next === ids[0]) break;
      expect(time, "crashes after which the id was a new one").toBeLessThan(10);
    }
  },
);

test("a transaction that was committed before the crash is not done again", async () => {
  const { cluster, database } = await start();
  let attempts = 0;
  await database.transaction(async (tx) => {
    attempts += 1;
    await tx.query(raw("insert into counted values (1)"));
    // As the commit of the transaction, of which it does not hear.
    await tx.query(raw("commit"));
    await CRASHES["of the server"]!(cluster);
  });
  expect(attempts).toBe(1);
  expect(await database.query(raw("select number from counted"))).toEqual([
    { number: 1 },
  ]);
});
