import { describe, expect, test } from "vitest";
import type { JsonObject } from "../../src/lib/json.ts";
import { first } from "../../src/storage/database.ts";
import { sql } from "../../src/storage/sql.ts";
import { NO_STORE_TTL } from "../../src/model/store-item.ts";
import { DataApp } from "../support/data-app.ts";
import { fieldsOf, refusalOf, type Answer } from "../support/http.ts";
import { TIMESTAMP } from "../support/sdk.ts";
import {
  millisecondsOf,
  rowNumber,
  timestampOf,
} from "../support/engine-sql.ts";

const app = new DataApp("store_items");

const put = (body: unknown) => app.send(["PUT", "/store/items"], body);
const get = (query: string) => app.send(["GET", `/store/items?${query}`]);
const remove = (body: unknown) => app.send(["DELETE", "/store/items"], body);
const search = (body: unknown = {}) =>
  app.send(["POST", "/store/items/search"], body);
const namespaces = (body: unknown = {}) =>
  app.send(["POST", "/store/namespaces"], body);

const itemsOf = ({ body }: Answer) =>
  (body as JsonObject)["items"] as JsonObject[];
const keysOf = (answer: Answer) => itemsOf(answer).map(({ key }) => key);
const found = async (body: object) => keysOf(await search(body));
const listed = async (body?: object) =>
  ((await namespaces(body)).body as JsonObject)["namespaces"];

const store = async (namespace: string[], key: string, value: object = {}) => {
  expect(await put({ namespace, key, value })).toMatchObject({ status: 204 });
};

/** As many milliseconds ago as the item has neighbours put after it, so that the order is that of the puts. */
const spread = () =>
  app.database.transaction((tx) => {
    const at = timestampOf(tx.dialect, sql`1000000 + ${rowNumber(tx.dialect)}`);
    return tx.query(
      sql`update store_items set created_at = ${at}, updated_at = ${at}`,
    );
  });

/** In minutes from now, rounded; null: never. */
const minutesLeft = async (key: string) =>
  (
    await first<{ minutes: number | null }>(
      app.database,
      sql`
        select round((${millisecondsOf(app.database.dialect, sql`expires_at`)}
          - ${millisecondsOf(app.database.dialect, app.database.dialect.now)}) / 60000.0) as minutes
        from store_items where key = ${key}`,
    )
  )?.minutes;

describe("PUT and GET /store/items", () => {
  test("an item is stored, read and replaced", async () => {
    const at = { namespace: ["users", "1"], key: "profile" };
    const stored = await put({
      ...at,
      value: { name: "Ada", tags: [1, null] },
    });
    expect(stored).toMatchObject({ status: 204, body: "" });
    const one = await get("namespace=users.1&key=profile");
    expect(one).toMatchObject({
      status: 200,
      body: { ...at, value: { name: "Ada", tags: [1, null] } },
    });
    const item = one.body as JsonObject;
    expect(Object.keys(item).sort()).toEqual([
      "created_at",
      "key",
      "namespace",
      "updated_at",
      "value",
    ]);
    expect(item["created_at"]).toMatch(TIMESTAMP);
    await spread();
    await store(at.namespace, at.key, { other: true });
    const again = (await get("namespace=users.1&key=profile"))
      .body as JsonObject;
    expect(again["value"]).toEqual({ other: true });
    expect(Date.parse(String(again["created_at"]))).toBe(1_000_001);
    expect(Date.parse(String(again["updated_at"]))).toBeGreaterThan(1_000_001);
  });

  test("what is not there is 200 with null", async () => {
    const { status, body, headers } = await get("namespace=a&key=b");
    expect([status, body]).toEqual([200, null]);
    expect(headers.get("content-type")).toContain("json");
  });

  test("a namespace in a query is one text with periods, or one label at a time", async () => {
    await store(["a", "b"], "k");
    for (const query of ["namespace=a.b", "namespace=a&namespace=b"])
      expect((await get(`${query}&key=k`)).body).toMatchObject({
        namespace: ["a", "b"],
      });
    // The second is one label with a period in it.
    expect(refusalOf(await get("namespace=a.b&namespace=c&key=k"))).toEqual([
      422,
      "Namespace labels cannot be empty or contain periods. Received: a.b.c",
    ]);
  });

  test("no namespace is 400", async () => {
    const refused = [400, "Namespace is required"];
    expect(
      refusalOf(await put({ namespace: [], key: "k", value: {} })),
    ).toEqual(refused);
    expect(refusalOf(await remove({ namespace: [], key: "k" }))).toEqual(
      refused,
    );
    expect(refusalOf(await get("key=k"))).toEqual(refused);
    expect(refusalOf(await get("namespace=&key=k"))).toEqual(refused);
  });

  test.each([
    [["a", ""], "a."],
    [["a.b"], "a.b"],
    [[""], ""],
  ])(
    "labels %j are 422 with the sentence of the SDKs",
    async (labels, text) => {
      const sentence = `Namespace labels cannot be empty or contain periods. Received: ${text}`;
      const answers: [string, Answer][] = [
        ["namespace", await put({ namespace: labels, key: "k", value: {} })],
        ["namespace", await remove({ namespace: labels, key: "k" })],
        ["namespace_prefix", await search({ namespace_prefix: labels })],
        ["prefix", await namespaces({ prefix: labels })],
        ["suffix", await namespaces({ suffix: labels })],
      ];
      for (const [field, answer] of answers) {
        expect(refusalOf(answer)).toEqual([422, sentence]);
        expect(fieldsOf(answer)).toEqual([field]);
      }
      expect(await listed()).toEqual([]);
    },
  );

  test.each([
    ["namespace", { namespace: "a" }],
    ["namespace", { namespace: null }],
    ["namespace[1]", { namespace: ["a", 1] }],
    ["key", { key: 7 }],
    ["key", { key: undefined }],
    ["value", { value: undefined }],
    ["value", { value: null }],
    ["value", { value: [] }],
    ["value", { value: "text" }],
    ["index", { index: true }],
    ["index", { index: "text" }],
    ["index[1]", { index: ["a", 1] }],
    ["ttl", { ttl: 0 }],
    ["ttl", { ttl: -1 }],
    ["ttl", { ttl: "5" }],
    ["ttl", { ttl: 1e300 }],
  ])("names the field %s of a wrong put", async (field, wrong) => {
    const answer = await put({
      namespace: ["a"],
      key: "k",
      value: {},
      ...wrong,
    });
    expect(answer.status).toBe(422);
    expect(fieldsOf(answer)).toEqual([field]);
    expect(String(refusalOf(answer)[1])).toContain(`${field}: `);
    expect(await listed()).toEqual([]);
  });

  test("names the field of a wrong get", async () => {
    expect(fieldsOf(await get("namespace=a"))).toEqual(["key"]);
    expect(fieldsOf(await get("namespace=a&key=b&key=c"))).toEqual(["key"]);
    expect(
      fieldsOf(await get("namespace=a&key=b&refresh_ttl=perhaps")),
    ).toEqual(["refresh_ttl"]);
  });

  test.each([
    ["namespace[1]", { namespace: ["a", "b\u0000"], key: "k" }],
    ["namespace[0]", { namespace: ["\ud800"], key: "k" }],
    ["key", { namespace: ["a"], key: "\u0000" }],
    ["key", { namespace: ["a"], key: "x\udfff" }],
  ])(
    "%s with what no database stores is 422, for no other item to be meant",
    async (field, at) => {
      expect(fieldsOf(await put({ ...at, value: {} }))).toEqual([field]);
      expect(fieldsOf(await remove(at))).toEqual([field]);
      // A URL says half a surrogate pair as U+FFFD.
      const query = new URLSearchParams({
        namespace: at.namespace.join("."),
        key: at.key,
      });
      expect(fieldsOf(await get(String(query)))).toEqual([field]);
    },
  );

  test("every other text names an item, and is only itself", async () => {
    const names = ["_", "%", "'", '"', "\\", "*", "a b", "+", "ü", "😀", "\n"];
    names.push("__proto__", "constructor", "A", "a", "a/b", "a-b", "?&=#");
    for (const name of names) await store([name, name], name, { name });
    for (const name of names) {
      const query = new URLSearchParams({
        namespace: `${name}.${name}`,
        key: name,
      });
      expect((await get(String(query))).body).toMatchObject({
        namespace: [name, name],
        key: name,
        value: { name },
      });
      expect(await found({ namespace_prefix: [name] })).toEqual([name]);
    }
    expect(await listed()).toHaveLength(names.length);
    await store(["a"], "");
    expect((await get("namespace=a&key=")).body).toMatchObject({ key: "" });
  });

  test("a value is whatever JSON can say, but for what no database stores", async () => {
    const value = `{"__proto__":{"x":1},"namespace":"mine","":[null,{"it's":"100%"}]}`;
    await put(`{"namespace":["a"],"key":"k","value":${value}}`);
    const { body } = await get("namespace=a&key=k");
    expect(JSON.stringify((body as JsonObject)["value"])).toBe(value);
    await put('{"namespace":["a"],"key":"k","value":{"x":"\\u0000"}}');
    expect((await get("namespace=a&key=k")).body).toMatchObject({
      value: { x: "\ufffd" },
    });
    const deep = `${'{"a":'.repeat(502)}1${"}".repeat(502)}`;
    expect(
      fieldsOf(await put(`{"namespace":["a"],"key":"k","value":${deep}}`)),
    ).toEqual(["value"]);
  });

  test("an index of its own is accepted", async () => {
    for (const index of [null, false, [], ["a.b", "c[*]"]])
      expect(
        await put({ namespace: ["a"], key: "k", value: {}, index }),
      ).toMatchObject({ status: 204 });
  });

  test.each(["[]", "7", "null", "{", ""])(
    "a body of %j is 422",
    async (body) => {
      expect((await put(body)).status).toBe(422);
    },
  );
});

describe("DELETE /store/items", () => {
  test("is 204 whether or not there is an item", async () => {
    await store(["a"], "k");
    await store(["a"], "other");
    for (let time = 0; time < 2; time += 1)
      expect(await remove({ namespace: ["a"], key: "k" })).toMatchObject({
        status: 204,
        body: "",
      });
    expect((await get("namespace=a&key=k")).body).toBeNull();
    expect((await get("namespace=a&key=other")).body).not.toBeNull();
    expect((await remove({ key: "other" })).status).toBe(204);
    expect((await get("namespace=a&key=other")).body).not.toBeNull();
  });

  test("names the field that is wrong", async () => {
    expect(fieldsOf(await remove({ namespace: ["a"] }))).toEqual(["key"]);
    expect(fieldsOf(await remove({ namespace: "a", key: "k" }))).toEqual([
      "namespace",
    ]);
  });
});

describe("POST /store/items/search", () => {
  test("answers whole items under whole labels, the last changed first", async () => {
    for (const namespace of [["a"], ["a", "b"], ["ab"], ["a_"], ["a", "%"]])
      await store(namespace, namespace.join("/"), { n: 1 });
    await spread();
    await store(["a"], "a", { n: 2 });
    expect(await found({ namespace_prefix: ["a"] })).toEqual([
      "a",
      "a/%",
      "a/b",
    ]);
    expect(await found({})).toEqual(["a", "a/%", "a_", "ab", "a/b"]);
    expect(await found({ namespace_prefix: null })).toHaveLength(5);
    expect(await found({ namespace_prefix: ["a", "*"] })).toEqual([]);
    const answer = await search({ namespace_prefix: ["a"], limit: 1 });
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({
      items: [(await get("namespace=a&key=a")).body],
    });
    expect(answer.headers.has("x-pagination-total")).toBe(false);
    expect((await search()).status).toBe(200);
  });

  test("pages, ten at a time when nothing is said", async () => {
    for (let n = 0; n < 12; n += 1)
      await store(["p"], String(n).padStart(2, "0"));
    await spread();
    expect(await found({})).toHaveLength(10);
    expect(await found({ limit: 2, offset: 3 })).toEqual(["08", "07"]);
    expect(await found({ limit: 1000 })).toHaveLength(12);
    expect(await found({ offset: 12 })).toEqual([]);
  });

  test.each<[object, string[]]>([
    [{}, ["0", "1", "2", "3", "4", "5"]],
    [{ n: 2 }, ["1"]],
    [{ n: "2" }, ["2"]],
    [{ n: null }, ["3"]],
    [{ missing: null }, []],
    [{ n: { $eq: 1 } }, ["0"]],
    [{ n: { $ne: 1 } }, ["1", "2", "3", "4", "5"]],
    [{ n: { $gt: 1 } }, ["1", "2"]],
    [{ n: { $gte: 1, $lt: 2 } }, ["0"]],
    [{ n: { $lte: 1 } }, ["0", "3"]],
    [{ deep: { a: [1, { b: 2 }] } }, ["4"]],
    [{ deep: { a: [1] } }, []],
    [{ n: 2, text: "100%" }, ["1"]],
    [{ n: 2, text: "100_" }, []],
    [{ text: "100_" }, []],
    [{ "it's": '"' }, ["1"]],
    [{ "%": 1 }, []],
    [{ "": 1 }, ["5"]],
    [{ constructor: "c" }, ["5"]],
    [{ toString: "x" }, []],
    [JSON.parse('{"__proto__":{"x":1}}') as object, ["5"]],
    [JSON.parse('{"__proto__":"p"}') as object, []],
  ])("the filter %j finds %j", async (filter, expected) => {
    const values = [
      '{"n":1}',
      `{"n":2,"text":"100%","it's":"\\""}`,
      '{"n":"2"}',
      '{"n":null}',
      '{"deep":{"a":[1,{"b":2}]}}',
      '{"":1,"constructor":"c","__proto__":{"x":1}}',
    ];
    for (const [key, value] of values.entries())
      await put(`{"namespace":["f"],"key":"${key}","value":${value}}`);
    expect((await found({ namespace_prefix: ["f"], filter })).sort()).toEqual(
      expected,
    );
  });

  test("a query without an index is ignored", async () => {
    await store(["a"], "k");
    const answer = await search({ query: "tea" });
    expect(keysOf(answer)).toEqual(["k"]);
    expect(itemsOf(answer)[0]).not.toHaveProperty("score");
  });

  test.each([
    ["namespace_prefix", { namespace_prefix: "a" }],
    ["filter", { filter: [] }],
    ["limit", { limit: 0 }],
    ["limit", { limit: 1001 }],
    ["limit", { limit: 1.5 }],
    ["limit", { limit: "5" }],
    ["offset", { offset: -1 }],
    ["query", { query: 7 }],
    ["refresh_ttl", { refresh_ttl: "perhaps" }],
  ])("names the field %s that is wrong", async (field, body) => {
    const answer = await search(body);
    expect([answer.status, ...fieldsOf(answer)]).toEqual([422, field]);
  });
});

describe("POST /store/namespaces", () => {
  test("lists each namespace once, by prefix, suffix and depth", async () => {
    for (const namespace of [
      ["a", "b", "v1"],
      ["a", "c", "v1"],
      ["a_", "x"],
    ])
      for (const key of ["1", "2"]) await store(namespace, key);
    await store(["b", "b", "v1"], "1");
    const all = [
      ["a", "b", "v1"],
      ["a", "c", "v1"],
      ["a_", "x"],
      ["b", "b", "v1"],
    ];
    const answer = await namespaces();
    expect(answer).toMatchObject({ status: 200, body: { namespaces: all } });
    expect(await listed({ prefix: null, suffix: [] })).toEqual(all);
    expect(await listed({ prefix: ["a"] })).toEqual(all.slice(0, 2));
    expect(await listed({ prefix: ["a", "*"], suffix: ["v1"] })).toEqual(
      all.slice(0, 2),
    );
    expect(await listed({ prefix: ["*", "b"] })).toEqual([all[0], all[3]]);
    expect(await listed({ suffix: ["b", "*"] })).toEqual([all[0], all[3]]);
    expect(await listed({ prefix: ["_"] })).toEqual([]);
    expect(await listed({ max_depth: 1 })).toEqual([["a"], ["a_"], ["b"]]);
    expect(await listed({ limit: 1, offset: 2 })).toEqual([["a_", "x"]]);
    await remove({ namespace: ["b", "b", "v1"], key: "1" });
    expect(await listed({ prefix: ["b"] })).toEqual([]);
  });

  test.each([
    ["prefix", { prefix: "a" }],
    ["suffix[0]", { suffix: [null] }],
    ["max_depth", { max_depth: 0 }],
    ["limit", { limit: 1001 }],
    ["offset", { offset: -1 }],
  ])("names the field %s that is wrong", async (field, body) => {
    const answer = await namespaces(body);
    expect([answer.status, ...fieldsOf(answer)]).toEqual([422, field]);
  });
});

describe("the time to live of items", () => {
  const withTtl = (ttl?: number | null) =>
    put({ namespace: ["t"], key: "k", value: {}, ttl });

  test("is that of the put, else the default; null is for ever", async () => {
    app.serve({
      storeTtl: { ...NO_STORE_TTL, default_minutes: 30 },
    });
    for (const [ttl, minutes] of [
      [5, 5],
      [undefined, 30],
      [null, null],
    ] as const) {
      expect((await withTtl(ttl)).status).toBe(204);
      expect(await minutesLeft("k")).toBe(minutes);
    }
    app.serve();
    await withTtl();
    expect(await minutesLeft("k")).toBeNull();
  });

  test("an item whose time is over is there for no request", async () => {
    await withTtl(5);
    await app.database.transaction((tx) =>
      tx.query(sql`update store_items set expires_at = ${new Date(1)}`),
    );
    expect((await get("namespace=t&key=k")).body).toBeNull();
    expect(await found({})).toEqual([]);
    expect(await found({ filter: { n: { $ne: 1 } } })).toEqual([]);
    expect(await listed()).toEqual([]);
    expect((await remove({ namespace: ["t"], key: "k" })).status).toBe(204);
  });

  test.each([
    [true, undefined, 10],
    [true, false, 4],
    [false, undefined, 4],
    [false, true, 10],
  ])(
    "reading with refresh_on_read %s and refresh_ttl %s leaves it %i minutes",
    async (refresh_on_read, refresh_ttl, minutes) => {
      app.serve({
        storeTtl: { ...NO_STORE_TTL, refresh_on_read },
      });
      const reads = [
        () =>
          get(
            `namespace=t&key=k${refresh_ttl === undefined ? "" : `&refresh_ttl=${refresh_ttl}`}`,
          ),
        () => search({ refresh_ttl }),
      ];
      for (const read of reads) {
        await withTtl(10);
        await app.database.transaction((tx) =>
          tx.query(
            sql`update store_items set expires_at = ${tx.dialect.plusMinutes(sql`expires_at`, sql`-6.0`)}`,
          ),
        );
        expect((await read()).status).toBe(200);
        expect(await minutesLeft("k")).toBe(minutes);
      }
    },
  );
});

test("the OpenAPI document describes every endpoint of the store", async () => {
  const { body } = await app.send(["GET", "/openapi.json"]);
  const { paths } = body as { paths: Record<string, object> };
  const routes = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method} ${path}`),
  );
  expect(routes.filter((route) => route.includes("/store/")).sort()).toEqual([
    "delete /store/items",
    "get /store/items",
    "post /store/items/search",
    "post /store/namespaces",
    "put /store/items",
  ]);
});
