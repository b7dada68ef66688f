import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { NOBODY, refusal, TIMESTAMP, UUID } from "../support/sdk.ts";
import { useServer } from "../support/server.ts";

const server = useServer();

test("a thread that is created without anything is idle and empty", async () => {
  const thread = await server.client.threads.create();
  expect(thread).toMatchObject({
    thread_id: expect.stringMatching(UUID),
    created_at: expect.stringMatching(TIMESTAMP),
    updated_at: expect.stringMatching(TIMESTAMP),
    state_updated_at: thread.created_at,
    metadata: {},
    config: {},
    status: "idle",
    values: null,
    interrupts: {},
  });
  expect(thread).not.toHaveProperty("ttl");
  expect(await server.client.threads.get(thread.thread_id)).toEqual(thread);
});

test("a thread takes the id, the metadata and the graph that its creator chose", async () => {
  const threadId = randomUUID();
  const metadata = { user: "ada", tags: ["a", "b"], deep: { n: 1 } };
  const thread = await server.client.threads.create({
    threadId,
    metadata,
    graphId: "approval",
  });
  expect(thread.thread_id).toBe(threadId);
  expect(thread.metadata).toEqual({ ...metadata, graph_id: "approval" });
});

test("creating a thread twice is a conflict, unless the existing one will do", async () => {
  const { threads } = server.client;
  const first = await threads.create({ metadata: { take: 1 } });
  const threadId = first.thread_id;
  expect(await refusal(threads.create({ threadId }))).toEqual({
    status: 409,
    detail: "Thread already exists",
  });
  const again = await threads.create({
    threadId,
    ifExists: "do_nothing",
    metadata: { take: 2 },
  });
  expect(again).toEqual(first);
});

test("a thread id that is no UUID is refused with the name of the field", async () => {
  const { threads } = server.client;
  const created = await refusal(threads.create({ threadId: "my-thread" }));
  expect(created.status).toBe(422);
  expect(created.detail).toMatch(/^thread_id: /);
  const read = await refusal(threads.get("my-thread"));
  expect(read.status).toBe(422);
  expect(read.detail).toMatch(/^thread_id: /);
});

test("a thread that does not exist is not found by any method, by its id", async () => {
  const { threads } = server.client;
  const missing = {
    status: 404,
    detail: `Thread with ID ${NOBODY} not found`,
  };
  expect(await refusal(threads.get(NOBODY))).toEqual(missing);
  expect(await refusal(threads.delete(NOBODY))).toEqual(missing);
  const others = [
    threads.update(NOBODY, { metadata: {} }),
    threads.getState(NOBODY),
    threads.getHistory(NOBODY),
    threads.updateState(NOBODY, { values: {} }),
    server.client.runs.list(NOBODY),
  ];
  for (const answer of await Promise.all(others.map(refusal)))
    expect(answer.status).toBe(404);
});

test("the time to live of a thread is shown only to those who ask for it", async () => {
  const { threads } = server.client;
  const before = Date.now();
  const { thread_id } = await threads.create({ ttl: 60 });
  expect(await threads.get(thread_id)).not.toHaveProperty("ttl");
  const { ttl } = (await threads.get(thread_id, {
    include: ["ttl"],
  })) as unknown as { ttl: { expires_at: string } };
  expect(ttl).toMatchObject({ strategy: "delete", ttl_minutes: 60 });
  const lives = Date.parse(ttl.expires_at) - before;
  expect(lives).toBeGreaterThan(59 * 60_000);
  expect(lives).toBeLessThan(61 * 60_000);
});

test("a time to live may be a bare number, may only prune, and can be changed", async () => {
  const created = await server.send("POST", "/threads", { ttl: 5 });
  expect(created.status).toBe(200);
  const { thread_id } = (await created.json()) as { thread_id: string };
  const read = async () =>
    (await (
      await server.fetch(`/threads/${thread_id}?include=ttl`)
    ).json()) as {
      ttl: unknown;
    };
  expect((await read()).ttl).toMatchObject({
    strategy: "delete",
    ttl_minutes: 5,
  });
  await server.send("PATCH", `/threads/${thread_id}`, {
    ttl: { ttl: 7, strategy: "keep_latest" },
  });
  expect((await read()).ttl).toMatchObject({
    strategy: "keep_latest",
    ttl_minutes: 7,
  });
});

test("an update merges metadata key by key", async () => {
  const { threads } = server.client;
  const { thread_id, updated_at } = await threads.create({
    metadata: { a: 1, b: { x: 1 } },
  });
  const updated = await threads.update(thread_id, {
    metadata: { b: { y: 2 }, c: null },
  });
  expect(updated.metadata).toEqual({ a: 1, b: { y: 2 }, c: null });
  expect(Date.parse(updated.updated_at)).toBeGreaterThan(
    Date.parse(updated_at) - 1,
  );
  expect(await threads.get(thread_id)).toEqual(updated);
});

test("an update can be answered without a body", async () => {
  const { threads } = server.client;
  const { thread_id } = await threads.create();
  const answer = await threads.update(thread_id, {
    metadata: { a: 1 },
    returnMinimal: true,
  });
  expect(answer).toBeUndefined();
  const raw = await server.fetch(`/threads/${thread_id}`, {
    method: "PATCH",
    headers: { "content-type": "application/json", prefer: "return=minimal" },
    body: JSON.stringify({ metadata: { b: 2 } }),
  });
  expect(raw.status).toBe(204);
  expect(await raw.text()).toBe("");
  expect((await threads.get(thread_id)).metadata).toEqual({ a: 1, b: 2 });
});

test("patchState merges into the metadata of the thread", async () => {
  const { threads } = server.client;
  const { thread_id } = await threads.create({ metadata: { a: 1 } });
  await threads.patchState(thread_id, { b: 2 });
  expect((await threads.get(thread_id)).metadata).toEqual({ a: 1, b: 2 });
});

test("a deleted thread is gone, with its runs and its state", async () => {
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  await runs.wait(thread_id, "fan-out", { input: { text: "one two" } });
  expect(await threads.delete(thread_id)).toBeUndefined();
  const requests = [
    threads.get(thread_id),
    threads.getState(thread_id),
    threads.getHistory(thread_id),
    runs.list(thread_id),
  ];
  for (const { status } of await Promise.all(requests.map(refusal)))
    expect(status).toBe(404);
  const recreated = await threads.create({ threadId: thread_id });
  expect(recreated.values).toBeNull();
  expect(await threads.getHistory(thread_id)).toEqual([]);
});

test("a body of plain text counts as JSON, and unknown keys are ignored", async () => {
  const answer = await server.fetch("/threads", {
    method: "POST",
    headers: { "content-type": "text/plain" },
    body: JSON.stringify({ metadata: { plain: true }, nonsense: 1 }),
  });
  expect(answer.status).toBe(200);
  expect(await answer.json()).toMatchObject({ metadata: { plain: true } });
});

test("characters that a database cannot hold are replaced", async () => {
  const thread = await server.client.threads.create({
    metadata: { text: "a\u0000b" },
  });
  expect(thread.metadata).toEqual({ text: "a\ufffdb" });
});

test("malformed JSON and wrong types are refused, and nothing is created", async () => {
  const { threads } = server.client;
  const count = await threads.count();
  const broken = await server.fetch("/threads", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: "{",
  });
  expect([400, 422]).toContain(broken.status);
  expect(await broken.json()).toHaveProperty("detail");
  for (const body of [
    { metadata: "text" },
    { if_exists: "maybe" },
    { ttl: { ttl: "long" } },
    { supersteps: [{ updates: [{ values: {} }] }] },
  ]) {
    const answer = await server.send("POST", "/threads", body);
    expect([answer.status, body]).toEqual([422, body]);
    const { detail } = (await answer.json()) as { detail: string };
    expect(detail).toMatch(new RegExp(`^${Object.keys(body)[0]}`));
  }
  expect(await threads.count()).toBe(count);
});

test("prune deletes threads, or keeps of each only its newest checkpoint", async () => {
  const { threads, runs } = server.client;
  const [a, b] = [await threads.create(), await threads.create()];
  for (const { thread_id } of [a, b])
    await runs.wait(thread_id, "fan-out", { input: { text: "one two" } });
  const before = await threads.getState(a.thread_id);

  const kept = await threads.prune([a.thread_id, NOBODY], {
    strategy: "keep_latest",
  });
  expect(kept).toEqual({ pruned_count: 1 });
  const history = await threads.getHistory(a.thread_id);
  expect(history).toHaveLength(1);
  expect(history[0]?.values).toEqual(before.values);
  expect((await threads.getState(a.thread_id)).values).toEqual(before.values);

  expect(await threads.prune([b.thread_id])).toEqual({ pruned_count: 1 });
  expect((await refusal(threads.get(b.thread_id))).status).toBe(404);
});

test("a thread that was pruned to its newest checkpoint goes on from there", async () => {
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  await runs.wait(thread_id, "approval", { input: { to: "Ada" } });
  await threads.prune([thread_id], { strategy: "keep_latest" });
  const values = await runs.wait(thread_id, "approval", {
    command: { resume: "yes" },
  });
  expect(values).toMatchObject({ log: ["written", "approved", "sent"] });
});

test("the storage of a thread is reported in bytes", async () => {
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  const report = async () =>
    (await (await server.fetch(`/threads/${thread_id}/storage`)).json()) as {
      total_bytes: number;
      checkpoints: { count: number; bytes: number };
      channel_values: {
        count: number;
        bytes: number;
        by_channel: Record<string, { versions: number; bytes: number }>;
      };
      pending_writes: { count: number; bytes: number };
    };
  expect(await report()).toMatchObject({
    thread_id,
    total_bytes: 0,
    checkpoints: { count: 0, bytes: 0 },
  });
  await runs.wait(thread_id, "approval", { input: { to: "Ada" } });
  const after = await report();
  expect(after.checkpoints.count).toBe(3);
  expect(after.total_bytes).toBe(
    after.checkpoints.bytes +
      after.channel_values.bytes +
      after.pending_writes.bytes,
  );
  expect(after.channel_values.by_channel).toHaveProperty("letter");
  expect(after.pending_writes.count).toBeGreaterThan(0);
  const missing = await server.fetch(`/threads/${NOBODY}/storage`);
  expect(missing.status).toBe(404);
});
