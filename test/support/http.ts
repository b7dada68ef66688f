import { OPEN_CORS } from "../../src/config/sections.ts";
import { createApp } from "../../src/http/app.ts";
import type { App, AppDeps } from "../../src/http/deps.ts";
import type { Json } from "../../src/lib/json.ts";
import { createLogger } from "../../src/lib/logger.ts";
import { NO_STORE_TTL } from "../../src/model/store-item.ts";
import type { Database } from "../../src/storage/database.ts";
import { EventLog } from "../../src/stream/event-log.ts";
import type { Workers } from "../../src/workers/port.ts";

/** The whole API on a database; no socket, and nothing that runs runs. */
export function testApp(
  database: Database,
  workers: Workers,
  settings: Partial<AppDeps> = {},
): App {
  const log = createLogger({ level: "silent", json: true, color: false });
  return createApp({
    database,
    workers,
    log,
    defaultTtl: null,
    storeTtl: NO_STORE_TTL,
    events: new EventLog({ database, log }),
    maxAttempts: 3,
    http: {
      cors: OPEN_CORS,
      configurableHeaders: null,
      maxBodyBytes: 1_000_000,
      langgraphVersion: null,
    },
    ...settings,
  });
}

/** `body` is the JSON of the answer, or its text when it is no JSON. */
export interface Answer {
  status: number;
  headers: Headers;
  body: Json;
}

/** A body that is text goes out as it is, anything else as JSON. */
export async function send(
  app: App,
  [method, path]: readonly [method: string, path: string],
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const response = await app.request(path, {
    method,
    headers: { "content-type": "application/json", ...headers },
    ...(body === undefined
      ? {}
      : { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  const isJson = response.headers.get("content-type")?.includes("json");
  return {
    status: response.status,
    headers: response.headers,
    body: isJson === true ? (JSON.parse(text) as Json) : text,
  };
}
