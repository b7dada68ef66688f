/** What receivers of webhooks see of a server that is killed with kill -9. */
import { setTimeout as delay } from "node:timers/promises";
import { expect, onTestFinished, test, vi } from "vitest";
import type { WebhookDelivery } from "../../src/model/webhook.ts";
import { Random } from "../support/random.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { waitFor } from "../support/wait.ts";
import { startReceiver, WebhookReceiver } from "../support/webhook-receiver.ts";
import { inRound, SEED } from "./seed.ts";

// A server starts several times in each of these.
vi.setConfig({ testTimeout: 120_000 });

const deliveries = async (
  server: TestServer,
  query: string,
): Promise<WebhookDelivery[]> =>
  (await (
    await server.fetch(`/webhooks/deliveries?limit=1000&${query}`)
  ).json()) as WebhookDelivery[];

test("a webhook whose run had ended when the server was killed is sent at the next start", async () => {
  const receiver = new WebhookReceiver();
  onTestFinished(() => receiver.close());
  await receiver.listen();
  const { url, port } = receiver;
  await receiver.close(); // nobody answers there now
  const server = await startServer();
  const { thread_id } = await server.client.threads.create();
  const { run_id } = await server.client.runs.create(thread_id, "fan-out", {
    input: { text: "a" },
    webhook: url,
  });
  await waitFor("it was tried in vain", async () => {
    const [delivery] = await deliveries(server, `run_id=${run_id}`);
    return delivery?.last_error != null;
  });
  await server.kill9();
  await receiver.listen(port);
  await server.start();
  const { body } = await receiver.about(run_id);
  expect(body).toMatchObject({ status: "success", values: { total: 1 } });
});

test("a webhook that was being sent when the server was killed is sent again at the next start, with the same id", async () => {
  const receiver = await startReceiver((_, count) =>
    count === 1 ? null : { status: 200 },
  );
  const server = await startServer();
  const { run_id } = await server.client.runs.create(null, "fan-out", {
    input: { text: "a" },
    webhook: receiver.url,
  });
  await waitFor("it is being sent", () => receiver.calls.length === 1);
  await server.kill9();
  await server.start();
  const [delivery] = await waitFor("it is delivered", async () => {
    const all = await deliveries(server, `run_id=${run_id}`);
    return all[0]?.status === "delivered" ? all : null;
  });
  expect(receiver.calls.map(({ headers }) => headers["webhook-id"])).toEqual([
    delivery?.delivery_id,
    delivery?.delivery_id,
  ]);
});

test("every run that was accepted tells its end, however often the server is killed", async () => {
  const receiver = await startReceiver();
  const server = await startServer();
  const random = new Random(SEED);
  const accepted: string[] = [];
  for (let round = 0; round < 4; round += 1)
    await inRound(round, async () => {
      const runs = Array.from({ length: 20 }, () =>
        server.client.runs.create(null, "fan-out", {
          input: { text: "a b c" },
          webhook: receiver.url,
        }),
      );
      const created = await Promise.allSettled([
        ...runs,
        delay(random.between(20, 400)).then(() => server.kill9()),
      ]);
      for (const result of created)
        if (result.status === "fulfilled" && result.value)
          accepted.push(result.value.run_id);
      await server.start();
    });
  await waitFor(
    `all ${accepted.length} are told (CHAOS_SEED=${SEED})`,
    () => {
      const told = new Set(receiver.calls.map(({ body }) => body["run_id"]));
      return accepted.every((run_id) => told.has(run_id));
    },
    { timeoutMs: 60_000 },
  );
  // At least once, and each of its own delivery.
  const ids = new Map<unknown, Set<unknown>>();
  for (const { body, headers } of receiver.calls) {
    const { run_id } = body;
    ids.set(run_id, (ids.get(run_id) ?? new Set()).add(headers["webhook-id"]));
  }
  expect([...ids.values()].every((set) => set.size === 1)).toBe(true);
  expect(accepted.length).toBeGreaterThan(0);
});
