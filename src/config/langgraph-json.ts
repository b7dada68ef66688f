import { existsSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { isObject } from "../lib/json.ts";
import type { GraphSpec } from "../protocol/graph-frames.ts";
import type { CorsSettings } from "../model/cors.ts";
import { SECRET_HEADERS, type HeaderRules } from "../model/header-rules.ts";
import type { RouteGroup } from "../model/route-groups.ts";
import { NO_STORE_TTL, type StoreTtl } from "../model/store-item.ts";
import {
  THREAD_SWEEP,
  type ThreadSweep,
  type TtlRule,
} from "../model/thread.ts";
import { ConfigError } from "./config-error.ts";
import { toGraphSpecs } from "./graph-specs.ts";
import { readJsonFile } from "./json-file.ts";
import { keyWarnings, PROTECTIVE_KEYS } from "./known-keys.ts";
import { toStoreIndex, type StoreIndexConfig } from "./store-index.ts";
import {
  toCors,
  toDisabledRoutes,
  toHeaderRules,
  toSection,
  toStoreTtl,
  toTtlRule,
} from "./sections.ts";
import { toThreadSweep } from "./thread-sweep.ts";
import { toWebhookSection, type WebhookSection } from "./webhooks.ts";

/** Where the project's variables come from: the key `env`. */
export type EnvSource =
  | { kind: "none" }
  | { kind: "file"; path: string }
  | { kind: "map"; variables: Record<string, string> }
  /** The environment must have these. */
  | { kind: "required"; names: string[] };

/** What langgraph.json says. */
export interface Project {
  /** Absolute path of the file. */
  configPath: string;
  /** Its folder: what paths in it are relative to. */
  root: string;
  graphs: GraphSpec[];
  env: EnvSource;
  cors: CorsSettings | null;
  configurableHeaders: HeaderRules | null;
  ttl: TtlRule | null;
  threadSweep: ThreadSweep;
  /** Parts of the API that are not served. */
  disabledRoutes: RouteGroup[];
  storeTtl: StoreTtl;
  webhooks: WebhookSection;
  /** Null: nothing is found by what it means. */
  storeIndex: StoreIndexConfig | null;
  /** Major version; null when nothing is said. */
  nodeVersion: number | null;
  /** Those of `PROTECTIVE_KEYS` that the file sets. */
  protective: string[];
  warnings: string[];
}

/** `path` is the file or the folder that holds it. Throws a `ConfigError`. */
export function readProject(path: string): Project {
  const configPath = locate(path);
  const shown = basename(configPath);
  const root = dirname(configPath);
  const document = readJsonFile(configPath, shown);
  if (!isObject(document))
    throw new ConfigError(
      `${shown}: must be an object like {"graphs": {"agent": "./src/agent.ts:graph"}}`,
    );
  refuseRemovedKeys(document, shown);
  const http = section(document, "http", shown);
  const cors = toSection(http["cors"], "http.cors", shown);
  const headers = toSection(
    http["configurable_headers"] ?? http["configurable-headers"],
    "http.configurable_headers",
    shown,
  );
  const configurableHeaders = headers && toHeaderRules(headers);
  const ttl = toSection(
    section(document, "checkpointer", shown)["ttl"],
    "checkpointer.ttl",
    shown,
  );
  const store = section(document, "store", shown);
  const storeTtl = toSection(store["ttl"], "store.ttl", shown);
  const storeIndex = toSection(store["index"], "store.index", shown);
  return {
    configPath,
    root,
    graphs: toGraphSpecs(document["graphs"], { root, shown }),
    env: toEnvSource(document["env"], { root, shown }),
    cors: cors && toCors(cors),
    configurableHeaders,
    disabledRoutes: toDisabledRoutes({ key: `${shown}: http`, values: http }),
    ttl: ttl && toTtlRule(ttl),
    threadSweep: ttl === null ? THREAD_SWEEP : toThreadSweep(ttl),
    storeTtl: storeTtl === null ? NO_STORE_TTL : toStoreTtl(storeTtl),
    webhooks: toWebhookSection({
      webhooks: toSection(document["webhooks"], "webhooks", shown),
      http: toSection(document["http"], "http", shown),
      shown,
    }),
    storeIndex: storeIndex && toStoreIndex(storeIndex, { root }),
    nodeVersion: toNodeVersion(document["node_version"], shown),
    protective: PROTECTIVE_KEYS.filter((key) => document[key] != null),
    warnings: [
      ...keyWarnings(document, shown),
      ...secretWarnings(configurableHeaders, shown),
    ],
  };
}

function locate(path: string): string {
  const absolute = resolve(path);
  const file =
    existsSync(absolute) && statSync(absolute).isDirectory()
      ? join(absolute, "langgraph.json")
      : absolute;
  if (existsSync(file)) return file;
  throw new ConfigError(
    `there is no ${file}; create it, or name another with --config`,
  );
}

function section(
  document: Record<string, unknown>,
  key: string,
  shown: string,
): Record<string, unknown> {
  return toSection(document[key], key, shown)?.values ?? {};
}

const secretWarnings = (rules: HeaderRules | null, shown: string): string[] =>
  (rules?.includes ?? [])
    .filter((name) => SECRET_HEADERS.includes(name.toLowerCase()))
    .map(
      (name) =>
        `${shown}: http.configurable_headers.includes names ${name}, which is a secret: graphs never see it`,
    );

function refuseRemovedKeys(
  document: Record<string, unknown>,
  shown: string,
): void {
  for (const key of ["project_root", "package"])
    if (key in document)
      throw new ConfigError(
        `${shown}: ${key} is no longer part of the format; remove it`,
      );
}

function toEnvSource(
  env: unknown,
  { root, shown }: { root: string; shown: string },
): EnvSource {
  if (env === undefined || env === null) return { kind: "none" };
  if (typeof env === "string")
    return { kind: "file", path: resolve(root, env) };
  if (Array.isArray(env) && env.every((name) => typeof name === "string"))
    return { kind: "required", names: env };
  if (!isObject(env))
    throw new ConfigError(
      `${shown}: env must be the path of a file, like ".env", or an object of variables`,
    );
  return { kind: "map", variables: toVariables(env, shown) };
}

function toVariables(
  env: Record<string, unknown>,
  shown: string,
): Record<string, string> {
  const variables: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) {
    if (!["string", "number", "boolean"].includes(typeof value))
      throw new ConfigError(`${shown}: env.${name} must be text`);
    variables[name] = String(value);
  }
  return variables;
}

/** The oldest that the format allows. */
const OLDEST_NODE = 20;

function toNodeVersion(version: unknown, shown: string): number | null {
  if (version === undefined || version === null) return null;
  const major = /^\d+$/.test(String(version)) ? Number(version) : 0;
  if (major >= OLDEST_NODE) return major;
  throw new ConfigError(
    `${shown}: node_version is ${JSON.stringify(version)}; it must be a major version like "20", "22" or "24"`,
  );
}
