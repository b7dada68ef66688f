import { expect, test } from "vitest";
import { Webhook } from "standardwebhooks";
import type { WebhookDelivery } from "../../src/model/webhook.ts";
import { NOBODY, TIMESTAMP } from "../support/sdk.ts";
import { useServer } from "../support/server.ts";
import { waitFor } from "../support/wait.ts";
import { startReceiver } from "../support/webhook-receiver.ts";

const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqr";
const server = useServer({ env: { SPOOL_WEBHOOK_SECRET: SECRET } });

const deliveriesOf = async (run_id: string): Promise<WebhookDelivery[]> => {
  const answer = await server.fetch(`/webhooks/deliveries?run_id=${run_id}`);
  return (await answer.json()) as WebhookDelivery[];
};

test("the end of a run is told, with the run and the last values", async () => {
  const receiver = await startReceiver();
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  const { run_id } = await runs.create(thread_id, "fan-out", {
    input: { text: "a bc" },
    metadata: { m: 1 },
    webhook: receiver.url,
  });
  const { body, headers } = await receiver.about(run_id);
  expect(headers["content-type"]).toBe("application/json");
  expect(body).toMatchObject({
    ...(await runs.get(thread_id, run_id)),
    status: "success",
    values: { text: "a bc", lengths: [1, 2], total: 3 },
    run_started_at: expect.stringMatching(TIMESTAMP),
    run_ended_at: expect.stringMatching(TIMESTAMP),
    webhook_sent_at: expect.stringMatching(TIMESTAMP),
  });
  expect(body).not.toHaveProperty("error");
  const [delivery] = await waitFor("it is recorded", async () => {
    const all = await deliveriesOf(run_id);
    return all[0]?.status === "delivered" ? all : null;
  });
  expect(delivery).toMatchObject({
    delivery_id: headers["webhook-id"],
    thread_id,
    url: receiver.url,
    attempts: 1,
    next_attempt_at: null,
    response_status: 200,
    last_error: null,
  });
});

test("a receiver can verify who sent it with the library of Standard Webhooks", async () => {
  const receiver = await startReceiver();
  const { run_id } = await server.client.runs.create(null, "fan-out", {
    input: { text: "ä" },
    webhook: receiver.url,
  });
  const { text, headers, body } = await receiver.about(run_id);
  const signed = headers as Record<string, string>;
  expect(new Webhook(SECRET).verify(text, signed)).toEqual(body);
  const other = new Webhook(SECRET.replace("Mf", "Nf"));
  expect(() => other.verify(text, signed)).toThrow(/signature/);
});

test("runs without a thread tell theirs, whether they were streamed, waited for, or many", async () => {
  const receiver = await startReceiver();
  const { runs } = server.client;
  const options = { input: { text: "a" }, webhook: receiver.url };
  await runs.wait(null, "fan-out", options);
  for await (const _ of runs.stream(null, "fan-out", options));
  await runs.createBatch([
    { assistantId: "fan-out", ...options },
    { assistantId: "fan-out", ...options },
  ]);
  await waitFor("all four are told", () => receiver.calls.length === 4);
  for (const { body } of receiver.calls)
    expect(body).toMatchObject({ status: "success", values: { total: 1 } });
});

test("the runs of a cron tell theirs", async () => {
  const receiver = await startReceiver();
  const { crons } = server.client;
  const { cron_id } = (await crons.create("fan-out", {
    schedule: "* * * * * *",
    input: { text: "a" },
    webhook: receiver.url,
  })) as unknown as { cron_id: string };
  await waitFor("one was told", () => receiver.calls.length > 0);
  await crons.delete(cron_id);
  expect(receiver.calls[0]?.body).toMatchObject({
    status: "success",
    values: { total: 1 },
  });
});

test("a run that fails tells the error, and the state that it left", async () => {
  const receiver = await startReceiver();
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  const { run_id } = await runs.create(thread_id, "throws", {
    input: {},
    webhook: receiver.url,
  });
  const { body } = await receiver.about(run_id);
  expect(body).toMatchObject({
    status: "error",
    error: { error: expect.any(String), message: expect.any(String) },
  });
});

test("a run that is cancelled tells that, whether it ran or waited; one that is rolled back tells nothing", async () => {
  const receiver = await startReceiver();
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  const options = { webhook: receiver.url };
  const create = (steps: number) =>
    runs.create(thread_id, "slow", {
      input: { steps, seconds: 0.2 },
      ...options,
    });
  const running = await create(100);
  const waiting = await create(1);
  const undone = await create(1);
  await waitFor("the first runs", async () => {
    const { status } = await runs.get(thread_id, running.run_id);
    return status === "running";
  });
  await runs.cancel(thread_id, undone.run_id, true, "rollback");
  await runs.cancel(thread_id, waiting.run_id, true);
  const ofWaiting = await receiver.about(waiting.run_id);
  expect(ofWaiting.body).toMatchObject({
    status: "interrupted",
    run_started_at: null,
  });
  await runs.cancel(thread_id, running.run_id, true);
  const ofRunning = await receiver.about(running.run_id);
  expect(ofRunning.body).toMatchObject({
    status: "interrupted",
    run_started_at: expect.stringMatching(TIMESTAMP),
  });
  expect(await deliveriesOf(undone.run_id)).toEqual([]);
});

test("a path is one of this server", async () => {
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  const { run_id } = await runs.create(thread_id, "fan-out", {
    input: { text: "a" },
    webhook: "/assistants/count",
  });
  const [delivery] = await waitFor("it is delivered", async () => {
    const all = await deliveriesOf(run_id);
    return all[0]?.status === "delivered" ? all : null;
  });
  expect(delivery).toMatchObject({ response_status: 200, attempts: 1 });
  expect(server.output()).toContain("POST /assistants/count 200");
});

test("a receiver that fails is asked again until it does not", async () => {
  const receiver = await startReceiver((_, count) => ({
    status: count < 3 ? 503 : 204,
  }));
  const { run_id } = await server.client.runs.create(null, "fan-out", {
    input: { text: "a" },
    webhook: receiver.url,
  });
  const [delivery] = await waitFor("it is delivered", async () => {
    const all = await deliveriesOf(run_id);
    return all[0]?.status === "delivered" ? all : null;
  });
  expect(delivery).toMatchObject({ attempts: 3, response_status: 204 });
  expect(receiver.calls.length).toBe(3);
  const ids = receiver.calls.map(({ headers }) => headers["webhook-id"]);
  expect(new Set(ids).size).toBe(1);
});

test("what was given up can be seen, and sent again", async () => {
  let status = 410;
  const receiver = await startReceiver(() => ({ status }));
  const { run_id } = await server.client.runs.create(null, "fan-out", {
    input: { text: "a" },
    webhook: receiver.url,
  });
  const dead = await waitFor("it is given up", async () => {
    const answer = await server.fetch("/webhooks/deliveries?status=dead");
    const all = (await answer.json()) as WebhookDelivery[];
    return all.find((delivery) => delivery.run_id === run_id);
  });
  expect(dead).toMatchObject({
    status: "dead",
    attempts: 1,
    response_status: 410,
    last_error: expect.stringContaining("410"),
    next_attempt_at: null,
  });
  status = 200;
  const path = `/webhooks/deliveries/${dead.delivery_id}/replay`;
  const replayed = await server.send("POST", path);
  expect([replayed.status, await replayed.json()]).toMatchObject([
    200,
    { delivery_id: dead.delivery_id, status: "pending", attempts: 0 },
  ]);
  await waitFor("it is delivered", async () => {
    const [delivery] = await deliveriesOf(run_id);
    return delivery?.status === "delivered";
  });
  expect(receiver.calls.length).toBe(2);
});

test("deliveries come in pages, and a wrong one is refused", async () => {
  const page = await server.fetch("/webhooks/deliveries?limit=2&offset=1");
  expect((await page.json()) as unknown[]).toHaveLength(2);
  expect(Number(page.headers.get("x-pagination-total"))).toBeGreaterThan(3);
  expect(page.headers.get("x-pagination-next")).toBe("3");
  for (const query of ["status=lost", "limit=0", "offset=-1", "run_id=1"]) {
    const answer = await server.fetch(`/webhooks/deliveries?${query}`);
    expect([query, answer.status]).toEqual([query, 422]);
  }
  const gone = `/webhooks/deliveries/${NOBODY}/replay`;
  expect((await server.send("POST", gone)).status).toBe(404);
});

test("a webhook that may not be called is refused before anything is written", async () => {
  const { threads } = server.client;
  const { thread_id } = await threads.create();
  for (const webhook of ["http://10.0.0.1/", "ftp://example.com", "//a/b"]) {
    const body = { assistant_id: "fan-out", webhook };
    const on = await server.send("POST", `/threads/${thread_id}/runs`, body);
    expect([webhook, on.status]).toEqual([webhook, 422]);
    expect(await on.json()).toMatchObject({ errors: [{ field: "webhook" }] });
    const many = await server.send("POST", "/runs/batch", [
      { assistant_id: "fan-out" },
      body,
    ]);
    expect(many.status).toBe(422);
    expect(await many.json()).toMatchObject({
      errors: [{ field: "body[1].webhook" }],
    });
  }
  expect(await server.client.runs.list(thread_id)).toEqual([]);
});
