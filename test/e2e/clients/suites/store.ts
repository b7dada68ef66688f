import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import { TIMESTAMP } from "../../../support/sdk.ts";
import {
  expectAborted,
  expectRefused,
  type Driven,
  eventually,
} from "./driven.ts";

/** S1 to S5. */
export function storeSuite(driven: Driven): void {
  /** Nobody else's labels. */
  const owned = () => [randomUUID(), "facts"];

  describe("store", () => {
    test("putItem, getItem, deleteItem", async () => {
      const { store } = driven.client;
      const namespace = owned();
      const put = store.putItem(namespace, "tea", { likes: true });
      expect(await put).toBeUndefined();
      const item = await store.getItem(namespace, "tea");
      expect(item).toMatchObject({
        namespace,
        key: "tea",
        value: { likes: true },
        createdAt: expect.stringMatching(TIMESTAMP),
        updatedAt: expect.stringMatching(TIMESTAMP),
      });
      await store.putItem(namespace, "tea", { likes: false });
      expect(await store.getItem(namespace, "tea")).toMatchObject({
        value: { likes: false },
        createdAt: item?.createdAt,
      });
      const deleted = store.deleteItem(namespace, "tea");
      expect(await deleted).toBeUndefined();
      expect(await store.getItem(namespace, "tea")).toBeNull();
      expect(await store.deleteItem(namespace, "tea")).toBeUndefined();
    });

    test("index, ttl and refreshTtl are taken", async () => {
      const { store } = driven.client;
      const namespace = owned();
      await store.putItem(namespace, "a", { n: 1 }, { index: false, ttl: 5 });
      await store.putItem(
        namespace,
        "b",
        { n: 2 },
        { index: ["n"], ttl: null },
      );
      for (const refreshTtl of [true, false])
        expect(
          await store.getItem(namespace, "a", { refreshTtl }),
        ).toMatchObject({ value: { n: 1 } });
      const { items } = await store.searchItems(namespace, {
        refreshTtl: true,
      });
      expect(items.map(({ key }) => key).sort()).toEqual(["a", "b"]);
    });

    test("an item that lives no longer than its ttl is gone after it", async () => {
      const { store } = driven.client;
      const namespace = owned();
      await store.putItem(namespace, "a", { n: 1 }, { ttl: 0.01 });
      await eventually(() =>
        store.getItem(namespace, "a", { refreshTtl: false }),
      ).toBeNull();
    });

    test("searchItems", async () => {
      const { store } = driven.client;
      const namespace = owned();
      for (const n of [1, 2, 3])
        await store.putItem([...namespace, `${n}`], "k", { n, odd: n % 2 > 0 });
      const found = async (
        options?: Parameters<typeof store.searchItems>[1],
      ) => {
        const { items } = await store.searchItems(namespace, options);
        return items.map(({ value }) => value["n"]);
      };
      expect(await found()).toEqual([3, 2, 1]);
      expect(await found({ limit: 1, offset: 1 })).toEqual([2]);
      expect(await found({ filter: { odd: true } })).toEqual([3, 1]);
      expect(await found({ filter: { n: { $gte: 2 } } })).toEqual([3, 2]);
      expect(await found({ query: "no index, no effect" })).toEqual([3, 2, 1]);
      const [item] = (await store.searchItems(namespace)).items;
      expect(item?.updatedAt).toMatch(TIMESTAMP);
      await expectRefused(
        store.searchItems(namespace, { limit: 0 }),
        422,
        /^limit: /,
      );
    });

    test("listNamespaces", async () => {
      const { store } = driven.client;
      const [first = ""] = owned();
      const last = randomUUID();
      const all = [
        [first, "a", last],
        [first, "b", last],
        [first, "b", "c"],
      ];
      for (const namespace of all) await store.putItem(namespace, "k", {});
      const listed = async (
        options?: Parameters<typeof store.listNamespaces>[0],
      ) => (await store.listNamespaces(options)).namespaces;
      expect(await listed()).toEqual(expect.arrayContaining(all));
      expect((await listed({ prefix: [first] })).sort()).toEqual(
        all.toSorted(),
      );
      expect((await listed({ suffix: [last] })).sort()).toEqual(
        all.slice(0, 2),
      );
      const cut = { prefix: [first], maxDepth: 2 };
      expect((await listed(cut)).sort()).toEqual([
        [first, "a"],
        [first, "b"],
      ]);
      const pages = [0, 1, 2].map((offset) =>
        listed({ prefix: [first], limit: 1, offset }),
      );
      expect((await Promise.all(pages)).flat().sort()).toEqual(all.toSorted());
      await expectRefused(store.listNamespaces({ limit: 0 }), 422, /^limit: /);
    });

    test("a namespace must have labels, and none with a period", async () => {
      const { store } = driven.client;
      await expectRefused(
        store.putItem([], "k", {}),
        400,
        "Namespace is required",
      );
      await expectRefused(
        store.putItem(["a", ""], "k", {}),
        422,
        /^Namespace labels cannot be empty or contain periods/,
      );
      await expectRefused(store.getItem([], "k"), 400, "Namespace is required");
      await expectRefused(
        store.putItem(owned(), "k", [] as never),
        422,
        /^value: /,
      );
      // Both versions look at periods themselves.
      for (const call of [
        store.putItem(["a.b"], "k", {}),
        store.getItem(["a.b"], "k"),
        store.deleteItem(["a.b"], "k"),
      ])
        await expect(call).rejects.toThrow("Invalid namespace label 'a.b'");
    });

    test("an aborted call ends at once", async () => {
      const { store } = driven.client;
      const namespace = owned();
      await expectAborted((options) => store.listNamespaces(options as never));
      await expectAborted((options) =>
        store.searchItems(namespace, options as never),
      );
    });

    test("what a graph remembers can be read", async () => {
      const { store, runs } = driven.client;
      const user_id = randomUUID();
      await runs.wait(null, "memory", {
        input: { fact: "likes tea" },
        config: { configurable: { user_id } },
      });
      const { items } = await store.searchItems(["facts", user_id]);
      expect(items).toMatchObject([
        { key: "likes tea", value: { fact: "likes tea" } },
      ]);
    });
  });
}
