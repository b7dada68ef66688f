import { isObject } from "../lib/json.ts";
import type { CorsSettings } from "../model/cors.ts";
import type { HeaderRules } from "../model/header-rules.ts";
import type { RouteGroup } from "../model/route-groups.ts";
import { NO_STORE_TTL, type StoreTtl } from "../model/store-item.ts";
import { TTL_STRATEGIES, type TtlRule } from "../model/thread.ts";
import { ConfigError } from "./config-error.ts";

/** Everybody, and never with credentials. */
export const OPEN_CORS: CorsSettings = {
  allow_origins: ["*"],
  allow_origin_regex: null,
  allow_methods: ["*"],
  allow_headers: ["*"],
  allow_credentials: false,
  expose_headers: [],
  max_age: 600, // browsers keep an answer for at most 10 minutes to 2 hours
};

/** A section of langgraph.json that knows its name, so that whatever is wrong in it can be named. */
export interface Section {
  key: string;
  values: Record<string, unknown>;
}

/** `shown` is how messages call the file. */
export function toSection(
  value: unknown,
  key: string,
  shown: string,
): Section | null {
  if (value === undefined || value === null) return null;
  if (!isObject(value))
    throw new ConfigError(`${shown}: ${key} must be an object`);
  return { key: `${shown}: ${key}`, values: value };
}

export function toCors(section: Section): CorsSettings {
  const regex = text(section, "allow_origin_regex");
  const listed = texts(section, "allow_origins");
  const allow_credentials = section.values["allow_credentials"] === true;
  if (allow_credentials && regex === null && (listed ?? ["*"]).includes("*"))
    throw new ConfigError(
      `${section.key}.allow_credentials needs the origins by name, in allow_origins or allow_origin_regex`,
    );
  return {
    allow_origins: listed ?? OPEN_CORS.allow_origins,
    allow_origin_regex: regex === null ? null : checkedRegex(section, regex),
    allow_methods: texts(section, "allow_methods") ?? OPEN_CORS.allow_methods,
    allow_headers: texts(section, "allow_headers") ?? OPEN_CORS.allow_headers,
    allow_credentials,
    expose_headers: texts(section, "expose_headers") ?? [],
    max_age: amount(section, "max_age") ?? OPEN_CORS.max_age,
  };
}

/** `http.configurable_headers`. */
export function toHeaderRules(section: Section): HeaderRules {
  // In the singular they were once in the official documentation.
  const singular = (name: string) => texts(section, name) ?? [];
  return {
    includes: texts(section, "includes") ?? singular("include"),
    excludes: texts(section, "excludes") ?? singular("exclude"),
  };
}

/** `checkpointer.ttl`; null when it sets no default. */
export function toTtlRule(section: Section): TtlRule | null {
  const ttl_minutes = amount(section, "default_ttl");
  const word = text(section, "strategy") ?? "delete";
  const strategy = TTL_STRATEGIES.find((candidate) => candidate === word);
  if (strategy === undefined)
    throw new ConfigError(
      `${section.key}.strategy must be one of ${TTL_STRATEGIES.join(", ")}`,
    );
  return ttl_minutes === null ? null : { strategy, ttl_minutes };
}

/** `store.ttl`. */
export const toStoreTtl = (section: Section): StoreTtl => ({
  default_minutes: amount(section, "default_ttl"),
  refresh_on_read:
    flag(section, "refresh_on_read") ?? NO_STORE_TTL.refresh_on_read,
  sweep_minutes:
    amount(section, "sweep_interval_minutes") ?? NO_STORE_TTL.sweep_minutes,
});

/** `http.disable_…`; that of webhooks turns off no routes. */
export function toDisabledRoutes(section: Section): RouteGroup[] {
  const isDisabled: Record<RouteGroup, boolean | null> = {
    assistants: flag(section, "disable_assistants"),
    threads: flag(section, "disable_threads"),
    runs: flag(section, "disable_runs"),
    store: flag(section, "disable_store"),
    meta: flag(section, "disable_meta"),
  };
  const groups = Object.keys(isDisabled) as RouteGroup[];
  return groups.filter((group) => isDisabled[group] === true);
}

function checkedRegex({ key }: Section, source: string): string {
  try {
    new RegExp(source);
    return source;
  } catch (cause) {
    throw new ConfigError(
      `${key}.allow_origin_regex is not a regular expression: ${(cause as Error).message}`,
      { cause },
    );
  }
}

export function text({ key, values }: Section, name: string): string | null {
  const value = values[name] ?? null;
  if (value === null || typeof value === "string") return value;
  throw new ConfigError(`${key}.${name} must be text`);
}

export function texts({ key, values }: Section, name: string): string[] | null {
  const value = values[name] ?? null;
  if (value === null) return null;
  if (Array.isArray(value) && value.every((item) => typeof item === "string"))
    return value;
  throw new ConfigError(`${key}.${name} must be a list of texts`);
}

export function amount({ key, values }: Section, name: string): number | null {
  const value = values[name] ?? null;
  if (value === null) return null;
  if (typeof value === "number" && value > 0) return value;
  throw new ConfigError(`${key}.${name} must be a number above 0`);
}

export function flag({ key, values }: Section, name: string): boolean | null {
  const value = values[name] ?? null;
  if (value === null || typeof value === "boolean") return value;
  throw new ConfigError(`${key}.${name} must be true or false`);
}
