import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { pino } from "pino";
import { expect, onTestFinished, test, vi } from "vitest";
import { exportTo } from "../../src/moving/export.ts";
import { withSnapshot } from "../../src/storage/snapshot.ts";
import { sql } from "../../src/storage/sql.ts";
import { openTestDatabase } from "../support/databases.ts";
import { insertMovedRows, movedRows } from "../support/moved-data.ts";
import { isOnPostgres } from "../support/postgres.ts";
import { moveData, Program } from "../support/program.ts";
import {
  startServer,
  TestServer,
  type Place,
  type ServerOptions,
} from "../support/server.ts";
import { waitFor } from "../support/wait.ts";

// Servers and commands are started one after the other, and a loaded machine is slow to start any.
vi.setConfig({ testTimeout: 180_000 });

/** A server that has not been started yet. */
async function newServer(options: ServerOptions = {}): Promise<TestServer> {
  const server = new TestServer(options);
  onTestFinished(({ task }) =>
    server.close({ keep: task.result?.state === "fail" }),
  );
  await server.prepare();
  return server;
}

/** What clients can see of everything that does not move by itself. */
async function seen({ client }: TestServer, threadIds: readonly string[]) {
  const threads = await Promise.all(
    threadIds.map(async (id) => ({
      thread: await client.threads.get(id, { include: ["ttl"] }),
      state: await client.threads.getState(id, undefined, { subgraphs: true }),
      history: await client.threads.getHistory(id, { limit: 100 }),
      runs: await client.runs.list(id),
    })),
  );
  const assistants = await client.assistants.search({ limit: 1000 });
  const versions = await Promise.all(
    assistants.map(({ assistant_id }) =>
      client.assistants.getVersions(assistant_id),
    ),
  );
  const items = await client.store.searchItems([], { limit: 100 });
  return { threads, assistants, versions, items };
}

test("what a running server has is on another one after export and import, and goes on there", async () => {
  const source = await startServer();
  const { client } = source;
  const { threads, runs, assistants, store } = client;
  const { assistant_id } = await assistants.create({
    graphId: "agent",
    name: "Ada's",
    context: { name: "Ada" },
  });
  await assistants.update(assistant_id, { metadata: { team: "blue" } });
  await store.putItem(["users", "ada"], "likes", { tea: true });
  const chat = await threads.create({ metadata: { topic: "tea" }, ttl: 60 });
  for (const content of ["Hello", "And again"])
    await runs.wait(chat.thread_id, assistant_id, {
      input: { messages: [{ role: "user", content }] },
    });
  const letter = await threads.create();
  await runs.wait(letter.thread_id, "approval", { input: { to: "Ada" } });
  const later = await threads.create();
  await runs.create(later.thread_id, "agent", {
    input: { messages: [{ role: "user", content: "Later" }] },
    afterSeconds: 3600,
  });
  const work = await threads.create();
  const { run_id } = await runs.create(work.thread_id, "slow", {
    input: { steps: 8, seconds: 1 },
  });
  await waitFor("a step is done", async () => {
    const { values } = await threads.getState<{ done?: number[] }>(
      work.thread_id,
    );
    return (values.done?.length ?? 0) >= 1;
  });

  const file = join(source.directory, "all.jsonl.gz");
  const exported = await moveData("export", [file], source.place);
  expect(exported).toMatchObject({ code: 0, stderr: "" });
  expect(exported.stdout).toMatch(/ 4 {2}threads\n/);
  expect(statSync(file).mode & 0o777).toBe(0o600); // it is as secret as the data
  const resting = [chat, letter, later].map(({ thread_id }) => thread_id);
  const before = await seen(source, resting);
  await source.kill9();

  const target = await newServer();
  expect(await moveData("import", [file], target.place)).toMatchObject({
    ...{
      code: 0,
      stderr: "",
      stdout: expect.stringMatching(/threads +4 +0 +0\n/),
    },
  });
  await target.start();
  expect(await seen(target, resting)).toEqual(before);
  const answered = await target.client.runs.wait(letter.thread_id, "approval", {
    command: { resume: "yes" },
  });
  expect(answered).toMatchObject({ to: "Ada" });
  await target.client.runs.join(work.thread_id, run_id);
  const { values } = await target.client.threads.getState<{ done: number[] }>(
    work.thread_id,
  );
  expect(values.done).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  // It went on: the first step is the one of the other server.
  const history = await target.client.threads.getHistory(work.thread_id);
  expect(history).toHaveLength(10);
});

test("a server that has been started before takes a file as well: on SQLite while it does not run", async () => {
  const source = await startServer();
  const { thread_id } = await source.client.threads.create();
  const file = join(source.directory, "all.jsonl");
  await moveData("export", [file], source.place);
  const target = await startServer();
  if (!isOnPostgres()) {
    const refused = await moveData("import", [file], target.place);
    expect(refused).toMatchObject({ code: 1, stdout: "" });
    expect(refused.stderr).toMatch(/is held by pid \d+/);
    await target.stop();
  }
  expect(await moveData("import", [file], target.place)).toMatchObject({
    ...{ code: 0, stderr: "" },
  });
  if (!isOnPostgres()) await target.start();
  expect(await seen(target, [thread_id])).toEqual(
    await seen(source, [thread_id]),
  );
});

test("an import that was killed goes on when it is repeated", async () => {
  const { database, close } = await openTestDatabase();
  const target = await newServer();
  const file = join(target.directory, "all.jsonl");
  await insertMovedRows(database, movedRows(1500));
  await exportTo(file, database);
  await close();
  const first = new Program(["import", file], target.place);
  await waitFor("a part is in", () => isBegun(target.place));
  first.child.kill("SIGKILL");
  expect((await first.ended).code).toBe(null);
  const repeated = await moveData("import", [file], target.place);
  expect(repeated).toMatchObject({ code: 0, stderr: "" });
  const [, after] = /continued after line (\d+)/.exec(repeated.stdout) ?? [];
  expect(Number(after)).toBeGreaterThan(2000);
  const again = join(target.directory, "again.jsonl");
  await moveData("export", [again], target.place);
  const rowsOf = (path: string) =>
    readFileSync(path, "utf8").trimEnd().split("\n").slice(1, -1).sort();
  expect(rowsOf(again)).toEqual(rowsOf(file));
});

/** Whether an import has stored some of its file. */
async function isBegun({ dataDir, env }: Place): Promise<boolean> {
  const uri = env["POSTGRES_URI"];
  if (uri === undefined && !existsSync(join(dataDir, "spool.db"))) return false;
  const settings = {
    ...{ dataDir, durability: "full" as const },
    postgres:
      uri === undefined
        ? null
        : { uri, directUri: null, poolSize: 1, prepares: true },
  };
  const log = pino({ level: "silent" });
  return withSnapshot(settings, log, async (db) => {
    const rows = await db.query(
      sql`select 1 as found from imports where lines > 2000`,
    );
    return rows.length > 0;
  });
}

test("export and import say what is wrong with what they were given", async () => {
  const target = await newServer();
  type Case = ["export" | "import", args: string[], code: number, told: string];
  const file = join(target.directory, "none.jsonl");
  const cases: Case[] = [
    ["import", [file], 1, `there is no file ${file}`],
    [
      "import",
      [file, "--on-conflict", "merge"],
      2,
      '--on-conflict is "merge"; it must be one of refuse, keep, replace',
    ],
    [
      "import",
      [],
      2,
      "spool import takes one of a file, --from-server and --from-dev-folder",
    ],
  ];
  const nothing = `there is no data in ${target.dataDir}; name its folder with --data-dir`;
  if (!isOnPostgres()) cases.push(["export", [file], 1, nothing]);
  for (const [command, args, code, told] of cases)
    expect(await moveData(command, args, target.place)).toEqual({
      ...{ code, stdout: "", stderr: `error: ${told}\n` },
    });
});
