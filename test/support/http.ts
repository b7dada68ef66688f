import { OPEN_CORS } from "../../src/config/sections.ts";
import { createApp } from "../../src/http/app.ts";
import type { App, AppDeps, HttpSettings } from "../../src/http/deps.ts";
import type { Json, JsonObject } from "../../src/lib/json.ts";
import { createLogger } from "../../src/lib/logger.ts";
import { NO_STORE_TTL } from "../../src/model/store-item.ts";
import {
  STANDARD_RULES,
  webhookPolicy,
} from "../../src/model/webhook-policy.ts";
import type { Database } from "../../src/storage/database.ts";
import { KnownAssistants } from "../../src/services/known-assistants.ts";
import { EventLog } from "../../src/stream/event-log.ts";
import type { Workers } from "../../src/workers/port.ts";

export type TestSettings = Partial<Omit<AppDeps, "http">> & {
  http?: Partial<HttpSettings>;
};

/** The whole API on a database; no socket, and nothing that runs runs. */
export function testApp(
  database: Database,
  workers: Workers,
  { log = SILENT, http, ...settings }: TestSettings = {},
): App {
  return createApp({
    database,
    workers,
    log,
    defaultTtl: null,
    storeTtl: NO_STORE_TTL,
    embedder: null,
    events: new EventLog({ database, log }),
    assistants: new KnownAssistants(),
    maxAttempts: 3,
    measures: () => ({ slots: 0, executing: 0, room: 0, ended: {} }),
    webhooks: { isEnabled: true, policy: webhookPolicy(STANDARD_RULES) },
    ...settings,
    http: {
      cors: OPEN_CORS,
      configurableHeaders: null,
      disabledRoutes: [],
      langsmith: false,
      maxBodyBytes: 1_000_000,
      langgraphVersion: null,
      ...http,
    },
  });
}

const SILENT = createLogger({ level: "silent", json: true, color: false });

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

/** Status and message of an error. */
export const refusalOf = ({ status, body }: Answer): [number, unknown] => [
  status,
  (body as JsonObject)["detail"],
];

/** The fields that a 422 names. */
export const fieldsOf = ({ body }: Answer): string[] =>
  ((body as JsonObject)["errors"] as { field: string }[]).map(
    ({ field }) => field,
  );
