import { existsSync, mkdirSync } from "node:fs";
import { pino } from "pino";
import { describe, expect, it } from "vitest";
import { storeExpiry } from "../../src/engine/store-expiry.ts";
import { UNRESTRICTED } from "../../src/model/access.ts";
import { sql } from "../../src/storage/sql.ts";
import {
  nearestStoreItems,
  putWithVectors,
} from "../../src/storage/store-vectors.ts";
import { deleteStoreItem } from "../../src/storage/store.ts";
import {
  openTestDatabase,
  openTestFile,
  type TestDatabase,
} from "../support/databases.ts";
import { isOnPostgres } from "../support/postgres.ts";
import { Random } from "../support/random.ts";
import { canCompareVectors } from "../support/vectors.ts";
import { waitFor } from "../support/wait.ts";

const DIMS = 16;
const INDEX = "an index";

/** More than are compared row by row. */
const ITEMS = 6000;

class Items {
  readonly #database: TestDatabase["database"];
  readonly #random = new Random(7);
  readonly #vectors = new Map<string, Float32Array>();

  constructor(database: TestDatabase["database"]) {
    this.#database = database;
  }

  vector(): Float32Array {
    return Float32Array.from({ length: DIMS }, () => this.#random.next() - 0.5);
  }

  /** Anew, where there is one with the number. */
  async put(from: number, to: number): Promise<void> {
    await this.#database.transaction(async (tx) => {
      for (let n = from; n < to; n += 1) {
        const vector = this.vector();
        this.#vectors.set(`k${n}`, vector);
        const item = {
          ...{ namespace: ["n", `s${n % 3}`], key: `k${n}` },
          ...{ value: { n }, ttl_minutes: null },
        };
        const vectors = { index_name: INDEX, vectors: [bytesOf(vector)] };
        await putWithVectors(tx, { item, vectors }, UNRESTRICTED);
      }
    });
  }

  vectorOf(n: number): Float32Array {
    return this.#vectors.get(`k${n}`) ?? new Float32Array(DIMS);
  }

  async delete(n: number): Promise<void> {
    this.#vectors.delete(`k${n}`);
    const at = { namespace: ["n", `s${n % 3}`], key: `k${n}` };
    await this.#database.transaction((tx) =>
      deleteStoreItem(tx, at, UNRESTRICTED),
    );
  }

  async nearest(query: Float32Array, namespace_prefix: string[]) {
    const rows = await nearestStoreItems(
      this.#database,
      { index_name: INDEX, vector: bytesOf(query), namespace_prefix },
      { nearest: 40, access: UNRESTRICTED },
    );
    return rows.slice(0, 5).map(({ key }) => key);
  }

  /** By comparing each. */
  expected(query: Float32Array): string[] {
    return [...this.#vectors]
      .map(([key, vector]) => ({ key, score: cosine(query, vector) }))
      .sort((a, b) => b.score - a.score)
      .slice(0, 5)
      .map(({ key }) => key);
  }
}

const bytesOf = (vector: Float32Array) => new Uint8Array(vector.buffer);

function cosine(a: Float32Array, b: Float32Array): number {
  const dot = (x: Float32Array, y: Float32Array) =>
    x.reduce((sum, number, at) => sum + number * (y[at] ?? 0), 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

const canCompare = await canCompareVectors("the nearest of many items");

describe.runIf(canCompare)("the nearest of many items", () => {
  it("are those that comparing each would find, while items come, change and go", async () => {
    await using file = await (isOnPostgres()
      ? openTestDatabase()
      : openTestFile());
    const { database } = file;
    await database.enableVectors();
    const items = new Items(database);
    const check = async () => {
      for (let n = 0; n < 10; n += 1) {
        const query = items.vector();
        expect(await items.nearest(query, [])).toEqual(items.expected(query));
        expect(await items.nearest(query, ["n"])).toEqual(
          items.expected(query),
        );
      }
    };
    await items.put(0, ITEMS);
    await check();
    // None is left out where one part of the copy ends and the next begins.
    for (const n of [0, 1, 4998, 4999, 5000, 5001, ITEMS - 1])
      expect(await items.nearest(items.vectorOf(n), ["n"])).toContain(`k${n}`);
    if ("path" in file)
      expect(existsSync(`${String(file.path)}-nearest`)).toBe(true);
    await items.put(ITEMS, ITEMS + 50);
    for (let n = 0; n < 50; n += 1) await items.delete(n);
    await check();
    // Most of what was copied is no row any more.
    for (let times = 0; times < 2; times += 1) await items.put(50, ITEMS);
    await check();
  });
});

it.skipIf(isOnPostgres())(
  "where their copy cannot be written, the nearest are found without it",
  async () => {
    await using file = await openTestFile();
    mkdirSync(`${file.path}-nearest`);
    await file.database.enableVectors();
    const items = new Items(file.database);
    await items.put(0, ITEMS);
    for (let n = 0; n < 2; n += 1) {
      const query = items.vector();
      expect(await items.nearest(query, [])).toEqual(items.expected(query));
    }
  },
);

it("what is made of an item goes with it when its time is over, and no sooner", async () => {
  await using opened = await openTestDatabase();
  const { database } = opened;
  await database.transaction(async (tx) => {
    for (let n = 0; n < 450; n += 1)
      await putWithVectors(
        tx,
        {
          item: {
            ...{ namespace: ["n"], key: `k${n}`, value: {} },
            ttl_minutes: n < 440 ? 0.0001 : 60,
          },
          vectors: {
            index_name: INDEX,
            vectors: [bytesOf(new Float32Array(DIMS).fill(1))],
          },
        },
        UNRESTRICTED,
      );
  });
  await using duty = storeExpiry({
    ...{ database, everyMs: 20, log: pino({ level: "silent" }) },
  });
  await duty.start();
  const count = async (table: "store_items" | "store_vectors") =>
    (
      await database.query(
        table === "store_items"
          ? sql`select key from store_items`
          : sql`select key from store_vectors`,
      )
    ).length;
  await waitFor(
    "the expired are gone",
    async () => (await count("store_items")) === 10,
  );
  expect(await count("store_vectors")).toBe(10);
});
