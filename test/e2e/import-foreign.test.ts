/** What other servers have, in a Spool: over their API, and from the folder of the JavaScript dev server. */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  Client,
  type Thread,
  type ThreadState,
} from "@langchain/langgraph-sdk";
import {
  afterAll,
  beforeAll,
  describe,
  expect,
  onTestFinished,
  test,
  vi,
} from "vitest";
import { startDevServer, type DevServer } from "../support/dev-server.ts";
import { moveData } from "../support/program.ts";
import { waitFor } from "../support/wait.ts";
import { startServer, TestServer, useServer } from "../support/server.ts";

// The dev server may have to be installed first.
vi.setConfig({ hookTimeout: 240_000, testTimeout: 240_000 });

const PROJECT = fileURLToPath(
  new URL("../fixtures/moving-graphs", import.meta.url),
);
const CONFIG = `${PROJECT}/langgraph.json`;

interface Made {
  assistant: string;
  /** Thread ids by what happened on them. */
  threads: Record<
    "parallel" | "chat" | "waiting" | "answered" | "empty",
    string
  >;
}

/** Something of everything, made as clients make it. */
async function populate({
  threads,
  runs,
  assistants,
  store,
}: Client): Promise<Made> {
  const { assistant_id } = await assistants.create({
    graphId: "parallel",
    name: "Mine",
    metadata: { team: "blue" },
    config: { configurable: { tone: "dry" } },
  });
  await assistants.update(assistant_id, { name: "Mine, too" });
  const make = async (metadata = {}) =>
    (await threads.create({ metadata })).thread_id;
  const ids = {
    parallel: await make({ number: 1 }),
    chat: await make(),
    waiting: await make(),
    answered: await make(),
    empty: await make({ empty: true }),
  };
  await runs.wait(ids.parallel, assistant_id, { input: { topic: "tea" } });
  await runs.wait(ids.parallel, "parallel", { input: { topic: "more" } });
  for (const content of ["Hello", "Again"])
    await runs.wait(ids.chat, "chat", {
      input: { messages: [{ role: "user", content }] },
    });
  const byHand = { role: "assistant", content: "by hand" };
  await threads.updateState(ids.chat, {
    values: { messages: [byHand] },
    asNode: "answer",
  });
  for (const id of [ids.waiting, ids.answered])
    await runs.wait(id, "asks", { input: { topic: "sure?" } });
  await runs.wait(ids.answered, "asks", { command: { resume: "yes" } });
  await store.putItem(["users", "ada"], "likes", { tea: true });
  return { assistant: assistant_id, threads: ids };
}

const shown = ({
  metadata,
  status,
  values,
  created_at,
  updated_at,
}: Thread) => ({
  ...{ metadata, status, values: values ?? null, created_at, updated_at },
});

async function itemsOf({ store }: Client) {
  const { items } = await store.searchItems([]);
  return items.map(({ namespace, key, value }) => ({ namespace, key, value }));
}

/** Everything that comes over in either way. */
async function expectMoved(
  from: Client,
  to: Client,
  made: Made,
): Promise<void> {
  for (const id of Object.values(made.threads))
    expect(shown(await to.threads.get(id))).toEqual(
      shown(await from.threads.get(id)),
    );
  expect(await itemsOf(to)).toEqual(await itemsOf(from));
  const versionsOf = async ({ assistants }: Client) =>
    (await assistants.getVersions(made.assistant)).map(
      ({ version, name, metadata, config }) => ({
        version,
        name,
        metadata,
        config,
      }),
    );
  expect(await versionsOf(to)).toEqual(await versionsOf(from));
}

const valuesOf = async ({ threads }: Client, id: string): Promise<unknown[]> =>
  (await threads.getHistory(id, { limit: 100 })).map(({ values }) => values);

/** A stopped Spool with what `args` import, started. */
async function imported(
  ...args: string[]
): Promise<{ server: TestServer; stdout: string }> {
  const server = new TestServer({ config: CONFIG, workers: 1 });
  onTestFinished(({ task }) =>
    server.close({ keep: task.result?.state === "fail" }),
  );
  await server.prepare();
  const { code, stdout, stderr } = await moveData("import", args, server.place);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  await server.start();
  return { server, stdout };
}

async function expectHistories(
  from: Client,
  to: Client,
  made: Made,
): Promise<void> {
  for (const id of [
    made.threads.chat,
    made.threads.waiting,
    made.threads.answered,
  ])
    expect(await valuesOf(to, id)).toEqual(await valuesOf(from, id));
  // An update does not use up an edge that waits for two nodes; so one more says that nothing is next.
  const [, ...history] = await valuesOf(to, made.threads.parallel);
  expect(history).toEqual(await valuesOf(from, made.threads.parallel));
}

/** It writes its files when it has not been asked anything for three seconds, and not always at its end. */
function isWritten({ dataFolder }: DevServer, runs: number): boolean {
  const textOf = (name: string) => readFileSync(join(dataFolder, name), "utf8");
  const ids = textOf(".langgraphjs_ops.json").match(
    /"run_id":"[^"]+","thread_id"/g,
  );
  return (
    new Set(ids).size === runs &&
    textOf(".langgraphjs_api.checkpointer.json").includes('"writes"') &&
    textOf(".langgraphjs_api.store.json").includes("likes")
  );
}

describe("the official dev server", () => {
  let dev: DevServer;
  let made: Made;
  let client: Client;

  beforeAll(async () => {
    dev = await startDevServer(PROJECT);
    client = new Client({ apiUrl: dev.url });
    made = await populate(client);
  });
  afterAll(() => dev?.[Symbol.asyncDispose]());

  test("gives its threads with their histories, assistants and items over its API", async () => {
    const { server, stdout } = await imported("--from-server", dev.url);
    await expectMoved(client, server.client, made);
    await expectHistories(client, server.client, made);
    expect(stdout).toMatch(/threads +5 +0 +0\n/);
    const answer = await server.client.runs.wait(made.threads.waiting, "asks", {
      input: null,
    });
    expect(answer).toMatchObject({
      __interrupt__: [{ value: { topic: "sure?" } }],
    }); // it asks again
  });

  // Last: it stops the server.
  test("leaves a folder, from which everything comes as it was", async () => {
    const { threads } = made;
    const histories = new Map<string, ThreadState[]>();
    for (const id of Object.values(threads))
      histories.set(id, await client.threads.getHistory(id, { limit: 100 }));
    const before = await Promise.all(
      Object.values(threads).map((id) => client.threads.get(id)),
    );
    const runs = await client.runs.list(threads.parallel);
    await waitFor("it has written all of it", () => isWritten(dev, 7));
    await dev.stop();
    const { server, stdout } = await imported(
      "--from-dev-folder",
      dev.dataFolder,
    );
    expect(stdout).toMatch(/runs +7 +0 +0\n/);
    const { client: to } = server;
    for (const thread of before)
      expect(shown(await to.threads.get(thread.thread_id))).toEqual(
        shown(thread),
      );
    for (const [id, states] of histories) {
      const moved = await to.threads.getHistory(id, { limit: 100 });
      // A question that has been answered is not shown any more.
      const comparable = (list: ThreadState[]) =>
        list.map(({ tasks, ...state }) => ({
          ...state,
          interrupts: null,
          tasks: tasks.map((task) => ({ ...task, interrupts: null })),
        }));
      expect(comparable(moved)).toEqual(comparable(states));
    }
    const idsOf = (list: typeof runs) =>
      list.map(({ run_id, status }) => [run_id, status]).sort();
    expect(idsOf(await to.runs.list(threads.parallel))).toEqual(idsOf(runs));
    const [question] =
      (await to.threads.getState(threads.waiting)).tasks[0]?.interrupts ?? [];
    expect(question?.value).toEqual({ topic: "sure?" });
    const answered = await to.runs.wait(threads.waiting, "asks", {
      command: { resume: "yes" },
    });
    expect(answered).toMatchObject({ notes: ["yes", "go", "last"] });
  });
});

describe("another Spool", () => {
  const source = useServer({ config: CONFIG, workers: 1 });
  let made: Made;
  beforeAll(async () => {
    made = await populate(source.client);
  });

  test("gives its crons", async () => {
    const cron = await source.client.crons.create("chat", {
      schedule: "5 4 * * *",
      timezone: "Europe/Berlin",
      input: { messages: [] },
      metadata: { team: "blue" },
    });
    const { server } = await imported("--from-server", source.url);
    const moved = await server.client.crons.search({});
    expect(moved).toEqual(await source.client.crons.search({}));
    expect(moved.map(({ cron_id }) => cron_id)).toEqual([cron.cron_id]);
    await source.client.crons.delete(cron.cron_id);
  });

  test("gives its threads with their histories, and again what it was given so itself", async () => {
    const { server } = await imported("--from-server", source.url);
    await expectMoved(source.client, server.client, made);
    await expectHistories(source.client, server.client, made);
    const { server: third, stdout } = await imported(
      "--from-server",
      server.url,
    );
    expect(stdout).not.toContain("values only");
    await expectMoved(source.client, third.client, made);
    for (const id of [made.threads.chat, made.threads.answered])
      expect(await valuesOf(third.client, id)).toEqual(
        await valuesOf(source.client, id),
      );
  });

  test("is asked again without harm, and a thread that has moved since is a conflict", async () => {
    const { server } = await imported("--from-server", source.url);
    await server.stop();
    const args = ["--from-server", source.url];
    const again = await moveData("import", args, server.place);
    expect(again).toMatchObject({ code: 0, stderr: "" });
    expect(again.stdout).toMatch(/threads +0 +0 +5\n/);
    const { thread_id } = await source.client.threads.update(
      made.threads.chat,
      { metadata: { moved: true } },
    );
    const refused = await moveData("import", args, server.place);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain(
      `1 in the database differ from ${source.url}: thread ${thread_id}.`,
    );
    const kept = await moveData(
      "import",
      [...args, "--on-conflict", "keep"],
      server.place,
    );
    expect(kept.stdout).toMatch(/threads +0 +0 +5\n/);
    const replaced = await moveData(
      "import",
      [...args, "--on-conflict", "replace"],
      server.place,
    );
    expect(replaced.stdout).toMatch(/threads +0 +1 +4\n/);
    await server.start();
    expect((await server.client.threads.get(thread_id)).metadata).toMatchObject(
      { moved: true },
    );
    await expectMoved(source.client, server.client, made);
  });

  test("whose graphs the project does not have leaves threads behind, and says which", async () => {
    const { thread_id } = await source.client.threads.create({
      graphId: "chat",
    });
    const other = await startServer({ workers: 1 });
    await other.stop();
    const { code, stderr, stdout } = await moveData(
      "import",
      ["--from-server", source.url],
      other.place,
    );
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error: 4 were not imported:\n {2}thread /);
    expect(stderr).toContain(`thread ${made.threads.chat}: `);
    expect(stderr).not.toContain(thread_id); // there is nothing yet that its graph would have to read
    expect(stdout).toMatch(/threads +2 +0 +0\n/);
  });
});

test("headers go to the server, and what it answers is told", async () => {
  const seen: (string | string[] | undefined)[] = [];
  const server = createServer((request, response) => {
    seen.push(request.headers["x-api-key"]);
    response.writeHead(403).end("no entry");
  }).listen(0, "127.0.0.1");
  onTestFinished(() => void server.close());
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const target = new TestServer({ config: CONFIG });
  onTestFinished(() => target.close({ keep: false }));
  await target.prepare();
  const args = ["--from-server", `${url}/`, "--header", "x-api-key=a=b"];
  expect(await moveData("import", args, target.place)).toMatchObject({
    code: 1,
    stderr: `error: POST ${url}/assistants/search was answered with 403: no entry\n`,
  });
  expect(seen).toEqual(["a=b"]);
});

test.each([
  [
    ["--from-server", "localhost:2024"],
    2,
    '--from-server is "localhost:2024"; it must be a URL like http://localhost:2024',
  ],
  [
    ["--from-server", "http://127.0.0.1:9", "--header", "key"],
    2,
    '--header is "key"; it must be like x-api-key=secret',
  ],
  [
    ["a.jsonl", "--from-dev-folder", "b"],
    2,
    "spool import takes one of a file, --from-server and --from-dev-folder",
  ],
  [
    ["--from-dev-folder", "test/fixtures"],
    1,
    "test/fixtures has no .langgraphjs_ops.json: it is no data folder of the dev server (name its .langgraph_api)",
  ],
])("spool import %j is refused", async (args, code, message) => {
  const target = new TestServer({ config: CONFIG });
  onTestFinished(() => target.close({ keep: false }));
  expect(await moveData("import", args, target.place)).toEqual({
    ...{ code, stdout: "", stderr: `error: ${message}\n` },
  });
});
