import { isObject, type JsonObject } from "../lib/json.ts";
import type { Env } from "./env.ts";
import type { CorsSettings } from "../model/cors.ts";
import { OPEN_CORS } from "./sections.ts";
import { firstSource, wrong } from "./values.ts";

/** `CORS_ALLOW_ORIGINS`, a comma list; everybody without it. */
export function toOrigins(env: Env): CorsSettings {
  const list = (env["CORS_ALLOW_ORIGINS"] ?? "")
    .split(",")
    .map((origin) => origin.trim())
    .filter((origin) => origin !== "");
  return list.length > 0 ? { ...OPEN_CORS, allow_origins: list } : OPEN_CORS;
}

/** `LANGGRAPH_CONFIG`: JSON, graph id -> config. */
export function toLangGraphConfig(env: Env): Record<string, JsonObject> {
  const source = firstSource(["LANGGRAPH_CONFIG", env["LANGGRAPH_CONFIG"]]);
  if (source === null) return {};
  const parsed = parsedOrNull(source.text);
  if (isObject(parsed) && Object.values(parsed).every(isObject))
    return parsed as Record<string, JsonObject>;
  throw wrong(source, 'JSON like {"agent": {"configurable": {}}}');
}

function parsedOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
