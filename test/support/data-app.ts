import { afterAll, beforeAll, beforeEach } from "vitest";
import type { App } from "../../src/http/deps.ts";
import type { JsonObject } from "../../src/lib/json.ts";
import {
  openTestDatabase,
  type TestDatabase,
  type ScriptableDatabase,
} from "./databases.ts";
import { send, testApp, type Answer, type TestSettings } from "./http.ts";
import { noWorkers } from "./threads.ts";

type Send = (
  route: readonly [method: string, path: string],
  body?: unknown,
  headers?: Record<string, string>,
) => Promise<Answer>;

/** One app for all tests of a file, which only keeps data: no worker is asked. Before each test its table is empty. */
export class DataApp {
  #opened: TestDatabase | null = null;
  #app: App | null = null;

  constructor(table: "threads" | "store_items" | "crons") {
    beforeAll(async () => {
      this.#opened = await openTestDatabase();
    });
    afterAll(() => this.#opened?.close());
    beforeEach(async () => {
      await this.database.script(`delete from ${table}`);
      this.serve();
    });
  }

  get database(): ScriptableDatabase {
    if (this.#opened === null) throw new Error("the database is not open yet");
    return this.#opened.database;
  }

  /** The rest of the test is about an app with these settings. */
  serve({ workers = noWorkers, ...settings }: TestSettings = {}): void {
    this.#app = testApp(this.database, workers, settings);
  }

  readonly send: Send = (route, body, headers) => {
    if (this.#app === null) throw new Error("nothing is served yet");
    return send(this.#app, route, body, headers);
  };

  readonly post = (path: string, body?: unknown): Promise<Answer> =>
    this.send(["POST", path], body);

  readonly get = (path: string): Promise<Answer> => this.send(["GET", path]);

  /** A new thread, as it was answered. */
  readonly thread = async (
    body: object = {},
  ): Promise<JsonObject & { thread_id: string }> =>
    (await this.post("/threads", body)).body as JsonObject & {
      thread_id: string;
    };
}
