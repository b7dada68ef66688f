import {
  InMemoryStore,
  type BaseStore,
  type Operation,
} from "@langchain/langgraph-checkpoint";
import { describe, expect, it } from "vitest";
import { UNRESTRICTED } from "../../src/model/access.ts";
import { first } from "../../src/storage/database.ts";
import { sql } from "../../src/storage/sql.ts";
import {
  listStoreNamespaces,
  searchStoreItems,
} from "../../src/storage/store-search.ts";
import {
  deleteExpiredStoreItems,
  getStoreItem,
  putStoreItem,
  refreshStoreItem,
} from "../../src/storage/store.ts";
import { SpoolStore } from "../../src/worker/store.ts";
import type {
  StoreOperation,
  StoreResult,
} from "../../src/protocol/store-frames.ts";
import {
  drivers,
  openTestDatabase,
  type TestDriver,
} from "../support/databases.ts";
import { connectWorker } from "../support/worker-pipe.ts";
import { millisecondsOf, timestampOf } from "../support/engine-sql.ts";

async function openStore(driver: TestDriver) {
  const { database, close } = await openTestDatabase(driver);
  const worker = connectWorker(database);
  const requests: StoreOperation[][] = [];
  const peer = {
    request: (
      method: "store.batch",
      params: { operations: StoreOperation[] },
    ): Promise<StoreResult[]> => {
      requests.push(params.operations);
      return worker.peer.request(method, params);
    },
  } as typeof worker.peer;
  return {
    database,
    store: new SpoolStore(peer),
    /** The operations of each request that went over the pipe. */
    requests,
    async [Symbol.asyncDispose]() {
      worker.close();
      await close();
    },
  };
}

const keys = (items: { key: string }[]) => items.map(({ key }) => key);

/** Puts with times that differ, so that the order is that of the puts. */
async function putInOrder(
  store: BaseStore,
  items: [namespace: string[], key: string, value: object][],
) {
  for (const [namespace, key, value] of items) {
    await store.put(namespace, key, value);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

describe.each(drivers())("the store on $name", (driver) => {
  it("an item is put, read, replaced and deleted", async () => {
    await using opened = await openStore(driver);
    const { store } = opened;
    expect(await store.get(["users", "1"], "profile")).toBeNull();
    await store.put(["users", "1"], "profile", {
      name: "Ada",
      nested: { list: [1, null] },
    });
    const item = await store.get(["users", "1"], "profile");
    expect(item).toEqual({
      namespace: ["users", "1"],
      key: "profile",
      value: { name: "Ada", nested: { list: [1, null] } },
      createdAt: expect.any(Date),
      updatedAt: expect.any(Date),
    });
    await new Promise((resolve) => setTimeout(resolve, 5));
    await store.put(["users", "1"], "profile", { name: "Grace" });
    const replaced = await store.get(["users", "1"], "profile");
    expect(replaced?.value).toEqual({ name: "Grace" });
    expect(replaced?.createdAt).toEqual(item?.createdAt);
    expect(Number(replaced?.updatedAt)).toBeGreaterThan(
      Number(item?.updatedAt),
    );
    await store.delete(["users", "1"], "profile");
    await store.delete(["users", "1"], "profile");
    expect(await store.get(["users", "1"], "profile")).toBeNull();
  });

  it("a search finds what is under whole labels, the last changed first", async () => {
    await using opened = await openStore(driver);
    const { store } = opened;
    await putInOrder(store, [
      [["a"], "own", {}],
      [["a", "b"], "under", {}],
      [["ab"], "other", {}],
      [["a-b"], "before the period", {}],
      [["a_%"], "pattern", {}],
      [["axy"], "like the pattern", {}],
      [["a", "b", "c"], "deep", {}],
    ]);
    await store.put(["a"], "own", { changed: true });
    expect(keys(await store.search(["a"]))).toEqual(["own", "deep", "under"]);
    expect(keys(await store.search(["a", "b"]))).toEqual(["deep", "under"]);
    expect(keys(await store.search(["a_%"]))).toEqual(["pattern"]);
    expect(keys(await store.search(["nobody"]))).toEqual([]);
    expect(keys(await store.search([]))).toHaveLength(7);
    expect(keys(await store.search([], { limit: 2, offset: 1 }))).toEqual([
      "deep",
      "like the pattern",
    ]);
  });

  it("a filter holds before the page is cut, over as many rows as it takes", async () => {
    await using opened = await openStore(driver);
    const { database, store } = opened;
    await database.transaction(async (tx) => {
      for (let n = 0; n < 1200; n += 1)
        await putStoreItem(
          tx,
          {
            namespace: ["n"],
            key: String(n).padStart(4, "0"),
            value: { n, even: n % 2 === 0, name: `item ${n}` },
            ttl_minutes: null,
          },
          UNRESTRICTED,
        );
      // One millisecond has many: the rest of the order decides, and no row is skipped or met twice.
      await tx.query(
        sql`update store_items set updated_at = ${timestampOf(tx.dialect, sql`1000 - (cast(key as integer) / 400)`)}`,
      );
    });
    const found = async (filter: object, page: object = {}) =>
      (await store.search(["n"], { filter, limit: 1000, ...page })).map(
        ({ value }) => value["n"],
      );
    expect(await found({ even: true })).toHaveLength(600);
    expect(new Set(await found({ even: true })).size).toBe(600);
    expect(await found({ n: { $gte: 1195 }, even: false })).toEqual([
      1195, 1197, 1199,
    ]);
    expect(await found({ n: { $gte: 1190 } }, { limit: 3, offset: 2 })).toEqual(
      [1192, 1193, 1194],
    );
    expect(await found({ name: "item 7" })).toEqual([7]);
    expect(await found({ name: { $ne: "item 7" } })).toHaveLength(1000);
    expect(await found({ even: true, n: 3 })).toEqual([]);
  });

  it("filters find what LangGraph's own store finds", async () => {
    await using opened = await openStore(driver);
    const reference = new InMemoryStore();
    const values = [
      { a: 1 },
      { a: 2, b: "x" },
      { a: "2" },
      { a: null },
      { b: true },
      {},
    ];
    for (const store of [opened.store, reference])
      for (const [index, value] of values.entries())
        await store.put(["f"], String(index), value);
    const filters = [
      { a: 1 },
      { a: null },
      { a: "2" },
      { b: true },
      { a: { $eq: 2 } },
      { a: { $ne: 2 } },
      { a: { $gt: 1 } },
      { a: { $gte: 1 } },
      { a: { $lt: 2 } },
      { a: { $lte: 2 } },
      { a: { $gt: 0, $lt: 2 } },
      { a: 2, b: "x" },
      { c: 1 },
    ];
    for (const filter of filters) {
      const expected = keys(await reference.search(["f"], { filter })).sort();
      expect([
        filter,
        keys(await opened.store.search(["f"], { filter })).sort(),
      ]).toEqual([filter, expected]);
    }
  });

  it("namespaces are listed by prefix, suffix and wildcard, cut to a depth, each once", async () => {
    await using opened = await openStore(driver);
    const { store } = opened;
    for (const namespace of [
      ["a", "b", "v1"],
      ["a", "c", "v1"],
      ["a", "c", "v2"],
      ["a-b", "x"],
      ["b", "b", "v1"],
      ["a"],
    ])
      for (const key of ["1", "2"]) await store.put(namespace, key, {});
    expect(await store.listNamespaces()).toEqual([
      ["a"],
      ["a-b", "x"],
      ["a", "b", "v1"],
      ["a", "c", "v1"],
      ["a", "c", "v2"],
      ["b", "b", "v1"],
    ]);
    expect(await store.listNamespaces({ prefix: ["a", "c"] })).toEqual([
      ["a", "c", "v1"],
      ["a", "c", "v2"],
    ]);
    expect(await store.listNamespaces({ suffix: ["v1"] })).toEqual([
      ["a", "b", "v1"],
      ["a", "c", "v1"],
      ["b", "b", "v1"],
    ]);
    expect(
      await store.listNamespaces({ prefix: ["*", "b"], suffix: ["v1"] }),
    ).toEqual([
      ["a", "b", "v1"],
      ["b", "b", "v1"],
    ]);
    expect(await store.listNamespaces({ prefix: ["a"], maxDepth: 2 })).toEqual([
      ["a"],
      ["a", "b"],
      ["a", "c"],
    ]);
    expect(
      await store.listNamespaces({ maxDepth: 1, limit: 2, offset: 1 }),
    ).toEqual([["a-b"], ["b"]]);
  });

  it("namespaces are listed over more than one read of the table", async () => {
    await using opened = await openStore(driver);
    const { database } = opened;
    await database.transaction(async (tx) => {
      for (let user = 0; user < 1100; user += 1)
        await putStoreItem(
          tx,
          {
            namespace: ["u", String(user).padStart(4, "0")],
            key: "k",
            value: {},
            ttl_minutes: null,
          },
          UNRESTRICTED,
        );
    });
    const all = await listStoreNamespaces(
      database,
      { limit: 5000, offset: 0 },
      UNRESTRICTED,
    );
    expect(all).toHaveLength(1100);
    expect(
      await listStoreNamespaces(
        database,
        { limit: 2, offset: 1098 },
        UNRESTRICTED,
      ),
    ).toEqual(all.slice(1098));
    expect(
      await listStoreNamespaces(
        database,
        {
          limit: 10,
          offset: 0,
          max_depth: 1,
        },
        UNRESTRICTED,
      ),
    ).toEqual([["u"]]);
  });

  it("the calls of one turn are one request, each with its own answer", async () => {
    await using opened = await openStore(driver);
    const { store, requests } = opened;
    await Promise.all([
      store.put(["a"], "1", { n: 1 }),
      store.put(["a"], "2", { n: 2 }),
    ]);
    expect(requests).toHaveLength(1);
    const [one, none, two, found] = await Promise.all([
      store.get(["a"], "1"),
      store.get(["a"], "missing"),
      store.get(["a"], "2"),
      store.search(["a"]),
    ]);
    expect(requests).toHaveLength(2);
    expect([one?.value, none, two?.value, found.length]).toEqual([
      { n: 1 },
      null,
      { n: 2 },
      2,
    ]);
  });

  it("a call sees what calls before it have put, but a batch reads what was there before it", async () => {
    await using opened = await openStore(driver);
    const { store } = opened;
    const putting = store.put(["a"], "1", { n: 1 });
    expect((await store.get(["a"], "1"))?.value).toEqual({ n: 1 });
    await putting;
    const operations: Operation[] = [
      { namespace: ["a"], key: "1", value: { n: 2 } },
      { namespace: ["a"], key: "1" },
      { namespacePrefix: ["a"] },
      { namespace: ["a"], key: "1", value: null },
      { namespace: ["a"], key: "1", value: { n: 3 } },
    ];
    const [, before, found] = await store.batch(operations);
    expect(before).toMatchObject({ value: { n: 1 } });
    expect(found).toMatchObject([{ value: { n: 1 } }]);
    expect((await store.get(["a"], "1"))?.value).toEqual({ n: 3 });
  });

  it("a bad call fails alone, and changes nothing", async () => {
    await using opened = await openStore(driver);
    const { store, database } = opened;
    const circular: Record<string, unknown> = {};
    circular["self"] = circular;
    const outcomes = await Promise.allSettled([
      store.put(["good"], "1", {}),
      store.put(["a.b"], "1", {}),
      store.put([], "1", {}),
      store.put(["a"], "\u0000", {}),
      store.put(["a"], "\ud800", {}),
      store.put(["a", "\ufffd"], "1", {}),
      store.get(["a"], "x\u0000"),
      store.put(["a"], "1", circular),
      store.batch([
        {
          namespace: ["a"],
          key: "1",
          value: [] as unknown as Record<string, unknown>,
        },
      ]),
      store.batch([
        { namespace: ["ok"], key: "1", value: {} },
        { namespace: ["", "x"], key: "1" },
      ]),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual([
      "fulfilled",
      ...Array.from({ length: 9 }, () => "rejected"),
    ]);
    const rows = await first<{ count: number }>(
      database,
      sql`select count(*) as count from store_items`,
    );
    expect(rows?.count).toBe(1);
  });

  it("the server refuses what no store of ours sends, and then stores nothing of the request", async () => {
    await using opened = await openTestDatabase(driver);
    const worker = connectWorker(opened.database);
    const put = (namespace: string[], key = "1"): StoreOperation => ({
      op: "put",
      namespace,
      key,
      value: {},
    });
    await expect(
      worker.peer.request("store.batch", {
        operations: [put(["a"]), put(["a"], "\u0000")],
      }),
    ).rejects.toThrow("key: must not contain NUL");
    await expect(
      worker.peer.request("store.batch", {
        operations: [put(["a"]), put(["a.b"])],
      }),
    ).rejects.toThrow(
      "Namespace labels cannot be empty or contain periods. Received: a.b",
    );
    expect(
      await getStoreItem(
        opened.database,
        { namespace: ["a"], key: "1" },
        UNRESTRICTED,
      ),
    ).toBeNull();
    worker.close();
  });

  it("what is put is what the value was at the call", async () => {
    await using opened = await openStore(driver);
    const value = {
      when: new Date(0),
      missing: undefined,
      text: "\u0000 before",
    };
    const putting = opened.store.put(["a"], "1", value);
    value.text = "after";
    await putting;
    expect((await opened.store.get(["a"], "1"))?.value).toEqual({
      when: "1970-01-01T00:00:00.000Z",
      text: "\ufffd before",
    });
  });

  it("an item whose time is over is there for nobody, and a new one of its name is new", async () => {
    await using opened = await openStore(driver);
    const { database, store } = opened;
    const at = { namespace: ["t"], key: "1" };
    await database.transaction(async (tx) => {
      await putStoreItem(
        tx,
        { ...at, value: { old: true }, ttl_minutes: 1 },
        UNRESTRICTED,
      );
      await putStoreItem(
        tx,
        { ...at, key: "2", value: {}, ttl_minutes: null },
        UNRESTRICTED,
      );
      await tx.query(
        sql`update store_items set expires_at = created_at, created_at = ${new Date(1000)} where key = '1'`,
      );
    });
    expect(await getStoreItem(database, at, UNRESTRICTED)).toBeNull();
    expect(
      keys(
        await searchStoreItems(
          database,
          {
            namespace_prefix: ["t"],
            limit: 10,
            offset: 0,
          },
          UNRESTRICTED,
        ),
      ),
    ).toEqual(["2"]);
    expect(keys(await store.search(["t"], { filter: { old: true } }))).toEqual(
      [],
    );
    await database.transaction((tx) => refreshStoreItem(tx, at));
    expect(await getStoreItem(database, at, UNRESTRICTED)).toBeNull();
    await store.put(at.namespace, at.key, { old: false });
    const item = await getStoreItem(database, at, UNRESTRICTED);
    expect(item).toMatchObject({ value: { old: false }, ttl_minutes: null });
    expect(item?.created_at).toBe(item?.updated_at);
  });

  it("reading an item starts its time again, and the sweep takes only what is over", async () => {
    await using opened = await openStore(driver);
    const { database, store } = opened;
    await database.transaction(async (tx) => {
      for (const key of ["read", "found", "asleep", "over"])
        await putStoreItem(
          tx,
          {
            namespace: [key],
            key,
            value: {},
            ttl_minutes: 10,
          },
          UNRESTRICTED,
        );
      await tx.query(
        sql`update store_items set expires_at = ${tx.dialect.plusMinutes(sql`expires_at`, sql`-5.0`)}`,
      );
      await tx.query(
        sql`update store_items set expires_at = created_at where key = 'over'`,
      );
    });
    await store.get(["read"], "read");
    await store.search(["found"]);
    expect(
      await database.transaction((tx) => deleteExpiredStoreItems(tx, 10)),
    ).toBe(1);
    const rows = await database.query<{ key: string; minutes: number }>(sql`
      select key, round((${millisecondsOf(database.dialect, sql`expires_at`)}
        - ${millisecondsOf(database.dialect, sql`created_at`)}) / 60000.0) as minutes
      from store_items order by key`);
    expect(rows).toEqual([
      { key: "asleep", minutes: 5 },
      { key: "found", minutes: 10 },
      { key: "read", minutes: 10 },
    ]);
  });
});
