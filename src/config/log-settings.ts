import type { LogSettings } from "../lib/logger.ts";
import type { Machine } from "./config.ts";
import type { Env } from "./env.ts";
import { firstSource, toBoolean, wrong } from "./values.ts";

/** Pino's levels, and what Python's logging calls them. */
const LEVELS: Record<string, string> = {
  trace: "trace",
  debug: "debug",
  info: "info",
  warn: "warn",
  warning: "warn",
  error: "error",
  fatal: "fatal",
  critical: "fatal",
  silent: "silent",
};

export function toLogSettings(env: Env, { isTerminal }: Machine): LogSettings {
  const json = firstSource(["LOG_JSON", env["LOG_JSON"]]);
  const color = firstSource(["LOG_COLOR", env["LOG_COLOR"]]);
  return {
    level: toLevel(env),
    json: json ? toBoolean(json) : false,
    color: color ? toBoolean(color) : isTerminal && !env["NO_COLOR"],
  };
}

function toLevel(env: Env): string {
  const source = firstSource(["LOG_LEVEL", env["LOG_LEVEL"]]);
  if (source === null) return "info";
  const word = source.text.trim().toLowerCase();
  const level = Object.hasOwn(LEVELS, word) ? LEVELS[word] : undefined;
  if (level !== undefined) return level;
  throw wrong(source, `one of ${Object.keys(LEVELS).join(", ")}`);
}
