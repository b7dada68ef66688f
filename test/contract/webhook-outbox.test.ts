/** The outbox of webhooks on a real database, with receivers on sockets. */
import { pino } from "pino";
import {
  afterEach,
  beforeEach,
  describe,
  expect,
  onTestFinished,
  test,
} from "vitest";
import { recordEnd } from "../../src/engine/finish-run.ts";
import {
  WebhookOutbox,
  type OutboxDeps,
} from "../../src/engine/webhook-outbox.ts";
import { UNRESTRICTED } from "../../src/model/access.ts";
import {
  STANDARD_RULES,
  webhookPolicy,
} from "../../src/model/webhook-policy.ts";
import type { WebhookDelivery } from "../../src/model/webhook.ts";
import { CHANNELS } from "../../src/storage/channels.ts";
import { sql } from "../../src/storage/sql.ts";
import {
  getDelivery,
  insertDelivery,
  listDeliveries,
} from "../../src/storage/webhook-deliveries.ts";
import { openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { openRunQueue } from "../support/run-queue.ts";
import { waitFor } from "../support/wait.ts";
import { startReceiver, WebhookReceiver } from "../support/webhook-receiver.ts";

const OPEN = webhookPolicy({ ...STANDARD_RULES, disable_loopback: false });

let opened: TestDatabase;
let queue: Awaited<ReturnType<typeof openRunQueue>>;
beforeEach(async () => {
  opened = await openTestDatabase();
  queue = await openRunQueue(opened.database);
});
afterEach(() => opened.close());

const SILENT = pino({ level: "silent" });

function outboxWith(deps: Partial<OutboxDeps> = {}): WebhookOutbox {
  const outbox = new WebhookOutbox({
    database: opened.database,
    log: SILENT,
    policy: OPEN,
    headers: {},
    signingKeys: [],
    ownUrl: () => null,
    ...deps,
  });
  onTestFinished(() => outbox.close());
  return outbox;
}

/** Of a run that has just ended, as the finish transaction leaves it. */
async function delivery(webhook: string): Promise<string> {
  const { database } = opened;
  const { run_id } = await queue.enqueue(await queue.thread());
  await database.transaction((tx) =>
    insertDelivery(tx, { run_id, webhook, values: { a: 1 }, error: null }),
  );
  database.notify(CHANNELS.webhooks, run_id);
  const page = { run_id, limit: 1, offset: 0 };
  const [made] = await listDeliveries(database, page, UNRESTRICTED);
  return made?.delivery_id ?? "";
}

const read = (id: string): Promise<WebhookDelivery | null> =>
  getDelivery(opened.database, id, UNRESTRICTED);

const until = (id: string, status: WebhookDelivery["status"]) =>
  waitFor(`the delivery is ${status}`, async () => {
    const row = await read(id);
    return row?.status === status ? row : null;
  });

/** As if so much of its time had passed. */
const age = (id: string, change: ReturnType<typeof sql>) =>
  opened.database.transaction((tx) =>
    tx.query(
      sql`update webhook_deliveries set ${change} where delivery_id = ${id}`,
    ),
  );

describe("the end of a run", () => {
  const started = async () => {
    await queue.enqueue(await queue.thread(), {
      webhook: "https://example.com/hook",
    });
    const [run] = await queue.claim(await queue.instance());
    if (run === undefined) throw new Error("nothing was claimed");
    return run;
  };
  const deliveries = () =>
    listDeliveries(opened.database, { limit: 10, offset: 0 }, UNRESTRICTED);

  test("puts its webhook into the outbox, once", async () => {
    const run = await started();
    expect(await deliveries()).toEqual([]);
    expect(await queue.finish(run)).toBe("finished");
    expect(await queue.finish(run)).toBe("lost");
    expect(await deliveries()).toMatchObject([
      { run_id: run.run_id, status: "pending", attempts: 0 },
    ]);
  });

  test("puts nothing there while webhooks are turned off, though the run shows its webhook", async () => {
    queue.deps.webhooks = { ...queue.deps.webhooks, isEnabled: false };
    const run = await started();
    expect(run.kwargs.webhook).toBe("https://example.com/hook");
    expect(await queue.finish(run)).toBe("finished");
    expect(await deliveries()).toEqual([]);
  });

  test("that is not stored leaves nothing to be told", async () => {
    const run = await started();
    const end = { status: "success", error: null, snapshot: null } as const;
    const failing = opened.database.transaction(async (tx) => {
      await recordEnd(tx, { run, end, segment: null });
      throw new Error("the disk is full");
    });
    await expect(failing).rejects.toThrow("the disk is full");
    expect(await deliveries()).toEqual([]);
  });
});

describe("an address that is not public", () => {
  const policy = webhookPolicy(STANDARD_RULES);

  test("is not connected to, and the delivery is given up at once", async () => {
    const receiver = await startReceiver();
    await outboxWith({ policy }).start();
    const dead = await until(await delivery(receiver.url), "dead");
    expect(dead.last_error).toContain("127.0.0.1");
    expect(receiver.calls).toEqual([]);
  });

  test("is not reached by a redirect", async () => {
    const inside = await startReceiver();
    const target = inside.url.replace("127.0.0.1", "127.0.0.2");
    const outside = await startReceiver(() => ({
      status: 307,
      headers: { location: target },
    }));
    const only = { ...STANDARD_RULES, allowed_networks: ["127.0.0.1"] };
    await outboxWith({ policy: webhookPolicy(only) }).start();
    const dead = await until(await delivery(outside.url), "dead");
    expect(outside.calls.length).toBe(1);
    expect(dead.last_error).toContain("127.0.0.2");
    expect(inside.calls).toEqual([]);
  });
});

describe("a redirect", () => {
  const redirecting = (status: number, location: () => string) =>
    startReceiver(() => ({ status, headers: { location: location() } }));

  test("that keeps the method is followed, without the headers that were for another", async () => {
    const last = await startReceiver();
    const first = await redirecting(308, () => last.url);
    await outboxWith({ headers: { "X-Token": "t" } }).start();
    await until(await delivery(first.url), "delivered");
    expect(first.calls[0]?.headers["x-token"]).toBe("t");
    expect(last.calls[0]?.headers["x-token"]).toBeUndefined();
    expect(last.calls[0]?.text).toBe(first.calls[0]?.text);
  });

  test("that would be a GET is a failure, and one in a circle ends", async () => {
    const last = await startReceiver();
    const found = await redirecting(302, () => last.url);
    const circle: WebhookReceiver = await redirecting(307, () => circle.url);
    await outboxWith().start();
    const id = await delivery(found.url);
    const other = await delivery(circle.url);
    await waitFor("both were tried", async () => {
      const rows = [await read(id), await read(other)];
      return rows.every((row) => row?.last_error != null);
    });
    expect((await read(id))?.last_error).toContain("302");
    expect((await read(other))?.last_error).toContain("too many redirects");
    expect(circle.calls.length).toBe(4);
    expect(last.calls).toEqual([]);
  });
});

test("a receiver that does not answer holds up no other", async () => {
  const silent = await startReceiver(() => null);
  const quick = await startReceiver();
  const outbox = outboxWith();
  for (let index = 0; index < 300; index += 1) await delivery(silent.url);
  const last = await delivery(quick.url);
  await outbox.start();
  await until(last, "delivered");
  // Bounded, however many there are.
  expect(silent.calls.length).toBeLessThanOrEqual(8);
  // And each has its time, after which the receiver is asked one by one.
  const id = String(silent.calls[0]?.headers["webhook-id"]);
  const { last_error } = await waitFor("one is out of time", async () => {
    const row = await read(id);
    return row?.last_error != null ? row : null;
  });
  expect(last_error).toContain("did not answer in time");
});

test("what nobody answers is tried again after a while, for a day", async () => {
  const nobody = new WebhookReceiver();
  await nobody.listen();
  const { url } = nobody;
  await nobody.close();
  await outboxWith().start();
  const id = await delivery(url);
  const tried = await waitFor("it was tried", async () => {
    const row = await read(id);
    return row?.last_error != null ? row : null;
  });
  expect(tried).toMatchObject({ status: "pending", response_status: null });
  expect(tried.last_error).toContain("ECONNREFUSED");
  const { now } = opened.database.dialect;
  await age(id, sql`give_up_at = ${now}, next_attempt_at = ${now}`);
  opened.database.notify(CHANNELS.webhooks, id);
  const dead = await until(id, "dead");
  const week = Date.parse(dead.expires_at) - Date.parse(dead.updated_at);
  expect(Math.round(week / 86_400_000)).toBe(7);
});

test("a receiver that wants to be left alone for a while is", async () => {
  const receiver = await startReceiver(() => ({
    status: 429,
    headers: { "retry-after": "120" },
  }));
  await outboxWith().start();
  const id = await delivery(receiver.url);
  const { next_attempt_at } = await waitFor("it was tried", async () => {
    const row = await read(id);
    return row?.response_status === 429 ? row : null;
  });
  const seconds = (Date.parse(next_attempt_at ?? "") - Date.now()) / 1000;
  expect(Math.round(seconds / 10)).toBe(12);
});

test("two that send from one outbox send everything once", async () => {
  const receiver = await startReceiver();
  const ids = [];
  for (let index = 0; index < 60; index += 1)
    ids.push(await delivery(`${receiver.url}/${index % 3}`));
  const outboxes = [outboxWith(), outboxWith()];
  await Promise.all(outboxes.map((outbox) => outbox.start()));
  for (const id of ids) await until(id, "delivered");
  const sent = receiver.calls.map(({ headers }) => headers["webhook-id"]);
  expect(sent.sort()).toEqual(ids.sort());
});

test("what the end of the server cuts off is sent by the next one, and loses no attempt", async () => {
  const receiver = await startReceiver((_, count) =>
    count === 1 ? null : { status: 200 },
  );
  const first = outboxWith();
  await first.start();
  const id = await delivery(receiver.url);
  await waitFor("it is being sent", () => receiver.calls.length === 1);
  await first.close();
  expect(await read(id)).toMatchObject({ status: "pending", attempts: 0 });
  await outboxWith().start();
  expect(await until(id, "delivered")).toMatchObject({ attempts: 1 });
});

test("a large answer is not read to its end, and counts all the same", async () => {
  const receiver = await startReceiver(() => ({
    status: 200,
    body: "x".repeat(50_000_000),
  }));
  await outboxWith().start();
  await until(await delivery(receiver.url), "delivered");
});

test("deliveries go when their time is over", async () => {
  const receiver = await startReceiver();
  const sending = outboxWith();
  await sending.start();
  const id = await delivery(receiver.url);
  const kept = await delivery(receiver.url);
  await until(id, "delivered");
  await until(kept, "delivered");
  await sending.close();
  await age(id, sql`expires_at = ${opened.database.dialect.now}`);
  await outboxWith().start(); // sweeps
  await waitFor("it is gone", async () => (await read(id)) === null);
  expect(await read(kept)).not.toBeNull();
});
