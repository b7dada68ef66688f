import { expect, test } from "vitest";
import type { WebhookDelivery } from "../../src/model/webhook.ts";
import {
  sharedDatabase,
  startApi,
  startInstance,
} from "../support/instances.ts";
import type { TestServer } from "../support/server.ts";
import { waitFor } from "../support/wait.ts";
import { startReceiver } from "../support/webhook-receiver.ts";

const delivered = (server: TestServer, run_id: string) =>
  waitFor(
    "the webhook is delivered",
    async () => {
      const path = `/webhooks/deliveries?run_id=${run_id}&status=delivered`;
      const [found] = (await (
        await server.fetch(path)
      ).json()) as WebhookDelivery[];
      return found;
    },
    { timeoutMs: 60_000 },
  );

test("a path of the server is called by an instance that listens", async () => {
  const database = await sharedDatabase();
  const api = await startApi(database);
  await startInstance(database, { flags: ["--no-http"], listens: false });
  const { run_id } = await api.client.runs.create(null, "fan-out", {
    input: { text: "a" },
    webhook: "/assistants/count",
  });
  expect(await delivered(api, run_id)).toMatchObject({
    response_status: 200,
    attempts: 1,
  });
});

test("what an instance was sending when it was killed, another one sends", async () => {
  const receiver = await startReceiver((_, count) =>
    count === 1 ? null : { status: 200 },
  );
  const database = await sharedDatabase();
  const first = await startInstance(database);
  const { run_id } = await first.client.runs.create(null, "fan-out", {
    input: { text: "a" },
    webhook: receiver.url,
  });
  await waitFor("it is being sent", () => receiver.calls.length === 1);
  await first.kill9();
  const second = await startInstance(database);
  const { delivery_id } = await delivered(second, run_id);
  expect(receiver.calls.map(({ headers }) => headers["webhook-id"])).toEqual([
    delivery_id,
    delivery_id,
  ]);
}, 90_000);
