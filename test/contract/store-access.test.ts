import { describe, expect, it } from "vitest";
import { ANONYMOUS, type Caller } from "../../src/auth/caller.ts";
import type { JsonObject } from "../../src/lib/json.ts";
import type { AccessFilter } from "../../src/model/access.ts";
import { NO_STORE_TTL } from "../../src/model/store-item.ts";
import {
  deleteItem,
  getItem,
  listNamespaces,
  putItem,
  searchItems,
} from "../../src/services/store.ts";
import {
  drivers,
  openTestDatabase,
  type TestDriver,
} from "../support/databases.ts";
import { sql } from "../../src/storage/sql.ts";

const caller = (access: AccessFilter): Caller => ({ access });

/** What an auth handler answers to keep users to namespaces that hold their id. */
const ada = caller({ namespace: { $contains: "ada" } });

async function openStore(driver: TestDriver) {
  const { database, close } = await openTestDatabase(driver);
  const deps = { database, storeTtl: NO_STORE_TTL, embedder: null };
  const page = { limit: 10, offset: 0 };
  return {
    database,
    put: (
      who: Caller,
      namespace: string[],
      key: string,
      value: JsonObject = {},
    ) => putItem(deps, who, { namespace, key, value }),
    get: (who: Caller, namespace: string[], key: string) =>
      getItem(deps, who, { namespace, key, refresh_ttl: undefined }),
    remove: (who: Caller, namespace: string[], key: string) =>
      deleteItem(deps, who, { namespace, key }),
    find: async (
      who: Caller,
      namespace_prefix: string[],
      filter?: JsonObject,
    ) =>
      (await searchItems(deps, who, { ...page, namespace_prefix, filter })).map(
        ({ key }) => key,
      ),
    list: (who: Caller, prefix: string[] = []) =>
      listNamespaces(deps, who, { ...page, prefix, suffix: [] }),
    [Symbol.asyncDispose]: close,
  };
}

const hidden = { code: "not_found", message: "Item not found" };
const denied = { code: "forbidden", message: "Not authorized" };

describe.each(drivers())("who may see which store items on $name", (driver) => {
  it("own items are there as for everybody", async () => {
    await using store = await openStore(driver);
    await store.put(ada, ["notes", "ada"], "k", { n: 1 });
    await store.put(ada, ["notes", "ada"], "k", { n: 2 });
    expect(await store.get(ada, ["notes", "ada"], "k")).toMatchObject({
      value: { n: 2 },
    });
    await store.remove(ada, ["notes", "ada"], "k");
    expect(await store.get(ANONYMOUS, ["notes", "ada"], "k")).toBeNull();
  });

  it("an item of somebody else is 404 to read, to replace and to delete, and stays as it is", async () => {
    await using store = await openStore(driver);
    await store.put(ANONYMOUS, ["bob"], "k", { n: 1 });
    await expect(store.get(ada, ["bob"], "k")).rejects.toMatchObject(hidden);
    await expect(store.put(ada, ["bob"], "k")).rejects.toMatchObject(hidden);
    await expect(store.remove(ada, ["bob"], "k")).rejects.toMatchObject(hidden);
    expect(await store.get(ANONYMOUS, ["bob"], "k")).toMatchObject({
      value: { n: 1 },
    });
  });

  it("where nothing is, a put and a delete that are not one's own are 403, and a get is null", async () => {
    await using store = await openStore(driver);
    await expect(store.put(ada, ["bob"], "k")).rejects.toMatchObject(denied);
    await expect(store.remove(ada, ["bob"], "k")).rejects.toMatchObject(denied);
    expect(await store.get(ada, ["bob"], "k")).toBeNull();
    expect(await store.list(ANONYMOUS)).toEqual([]);
  });

  it("an item may not be replaced by one that its author could not see, nor the reverse", async () => {
    await using store = await openStore(driver);
    const owner = caller({ owner: "ada" });
    await store.put(owner, ["shared"], "mine", { owner: "ada", n: 1 });
    await expect(
      store.put(owner, ["shared"], "mine", { owner: "bob" }),
    ).rejects.toMatchObject(denied);
    await store.put(ANONYMOUS, ["shared"], "his", { owner: "bob" });
    await expect(
      store.put(owner, ["shared"], "his", { owner: "ada" }),
    ).rejects.toMatchObject(hidden);
    expect(await store.get(ANONYMOUS, ["shared"], "mine")).toMatchObject({
      value: { owner: "ada", n: 1 },
    });
    expect(await store.get(ANONYMOUS, ["shared"], "his")).toMatchObject({
      value: { owner: "bob" },
    });
  });

  it("an item of somebody else whose time is over hides nothing", async () => {
    await using store = await openStore(driver);
    const owner = caller({ owner: "ada" });
    await store.put(ANONYMOUS, ["shared"], "k", { owner: "bob" });
    await store.database.transaction((tx) =>
      tx.query(sql`update store_items set expires_at = ${new Date(1)}`),
    );
    expect(await store.get(owner, ["shared"], "k")).toBeNull();
    await store.put(owner, ["shared"], "k", { owner: "ada" });
    expect(await store.get(owner, ["shared"], "k")).toMatchObject({
      value: { owner: "ada" },
    });
  });

  it("searches and listings hold only what the caller may see, and page over that", async () => {
    await using store = await openStore(driver);
    for (let n = 0; n < 12; n += 1)
      await store.put(ANONYMOUS, ["bob", String(n)], `bob ${n}`, { n });
    await store.put(ANONYMOUS, ["notes", "ada"], "ada", { n: 1 });
    await store.put(ANONYMOUS, ['"ada"', "adam"], "adam", { n: 1 });
    expect(await store.find(ada, [])).toEqual(["ada"]);
    expect(await store.find(ada, ["bob"])).toEqual([]);
    expect(await store.find(ada, [], { n: { $gte: 1 } })).toEqual(["ada"]);
    expect(await store.list(ada)).toEqual([["notes", "ada"]]);
    expect(await store.list(ada, ["bob"])).toEqual([]);
    expect(
      await store.list(caller({ namespace: { $contains: '"ada"' } })),
    ).toEqual([['"ada"', "adam"]]);
  });

  it("a filter may ask for the key and for members of the value, which a listing does not know", async () => {
    await using store = await openStore(driver);
    await store.put(ANONYMOUS, ["a"], "1", { owner: "ada", key: "forged" });
    await store.put(ANONYMOUS, ["a"], "2", { owner: "bob", key: "1" });
    expect(await store.find(caller({ owner: "bob" }), [])).toEqual(["2"]);
    expect(await store.find(caller({ key: "1" }), [])).toEqual(["1"]);
    expect(await store.find(caller({ key: "forged" }), [])).toEqual([]);
    expect(await store.find(caller({ key: "1", owner: "bob" }), [])).toEqual(
      [],
    );
    expect(await store.list(caller({ owner: "ada" }))).toEqual([]);
    expect(await store.list(caller({ key: "1" }))).toEqual([]);
    expect(
      await store.list(caller({ namespace: { $contains: ["a"] } })),
    ).toEqual([["a"]]);
  });
});
