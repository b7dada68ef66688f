import { afterAll, beforeAll, expect, test } from "vitest";
import { raw, sql } from "../../src/storage/sql.ts";
import {
  fixtureGraph,
  openTestApp,
  type TestApp,
  type TestAppOptions,
} from "./apps.ts";
import type { ScriptableDatabase } from "./databases.ts";
import { tableNames } from "./engine-sql.ts";

/** A request that must be refused, and how. */
export interface BadRequest {
  method?: string;
  path: string;
  /** Text and bytes go out as they are, anything else as JSON. */
  body?: unknown;
  headers?: Record<string, string>;
  status?: number;
  /** How the message starts: with the field, for a 422. */
  detail: string | RegExp;
}

export const GRAPHS = [
  fixtureGraph("linear", "state-graphs/linear.ts:graph"),
  fixtureGraph("chat", "state-graphs/chat.ts:graph"),
  fixtureGraph("nested", "state-graphs/nested.ts:graph"),
];

/** `{"a": {"a": … 1}}`, as text: to build it would take a stack as deep. */
export const nested = (levels: number): string =>
  `${'{"a":'.repeat(levels)}1${"}".repeat(levels)}`;

/** Rows by table. */
export async function rowCounts(
  database: ScriptableDatabase,
): Promise<Record<string, number>> {
  const tables = await database.query<{ name: string }>(
    tableNames(database.dialect),
  );
  const counts: Record<string, number> = {};
  for (const { name } of tables) {
    const [row] = await database.query<{ total: number }>(
      sql`select count(*) as total from ${raw(`"${name}"`)}`,
    );
    counts[name] = row?.total ?? 0;
  }
  return counts;
}

/** One app for all tests of a file. */
export class BadInputApp {
  #opened: TestApp | null = null;

  constructor(options: TestAppOptions = { graphs: GRAPHS }) {
    beforeAll(async () => {
      this.#opened = await openTestApp(options);
    });
    afterAll(() => this.#opened?.close());
  }

  get server(): TestApp {
    if (this.#opened === null) throw new Error("the app is not open yet");
    return this.#opened;
  }

  send({ method = "POST", path, body, headers }: Omit<BadRequest, "detail">) {
    const isRaw = typeof body === "string" || body instanceof Uint8Array;
    return this.server.app.request(path, {
      method,
      headers: { "content-type": "application/json", ...headers },
      ...(body === undefined
        ? {}
        : { body: isRaw ? (body as string) : JSON.stringify(body) }),
    });
  }

  /** The JSON of an answer that must be a success. */
  async succeed<T>(request: Omit<BadRequest, "detail">): Promise<T> {
    const response = await this.send(request);
    const text = await response.text();
    expect([response.status, text]).toEqual([200, expect.anything()]);
    return JSON.parse(text) as T;
  }

  /** A thread that has gone through the steps of a graph. */
  async thread(
    graph_id = "linear",
    supersteps: unknown[] = [{ updates: [{ values: { topic: "tea" }, as_node: "__input__" }] }], // prettier-ignore
  ): Promise<string> {
    const body = { metadata: { graph_id }, supersteps };
    const request = { path: "/threads", body };
    return (await this.succeed<{ thread_id: string }>(request)).thread_id;
  }

  /** Refused with this status and message; nothing is written, nothing is logged as our fault, and the server is well. */
  async refuse(request: BadRequest): Promise<void> {
    const { database, app, logged } = this.server;
    const before = await rowCounts(database);
    const response = await this.send(request);
    const text = await response.text();
    const answer = { status: response.status, text: text.slice(0, 2000) };
    expect(answer).toMatchObject({ status: request.status ?? 422 });
    const { detail, errors } = JSON.parse(text) as {
      detail: string;
      errors?: { field: string; message: string }[];
    };
    if (request.detail instanceof RegExp)
      expect(detail).toMatch(request.detail);
    else expect(detail.slice(0, request.detail.length)).toBe(request.detail);
    expect(detail).not.toBe("");
    for (const { field, message } of errors ?? [])
      expect([field, message]).not.toContain("");
    expect(text.length).toBeLessThan(10_000); // nobody's input comes back whole
    expect(await rowCounts(database)).toEqual(before);
    expect((await app.request("/ok")).status).toBe(200);
    expect(logged.filter(({ level }) => Number(level) >= 50)).toEqual([]);
  }

  /** A test for each request; made when it runs, so that it may name what exists only then. */
  refuseAll(table: Record<string, BadRequest | (() => BadRequest)>): void {
    test.each(Object.entries(table))("%s", (_name, request) =>
      this.refuse(typeof request === "function" ? request() : request),
    );
  }
}
