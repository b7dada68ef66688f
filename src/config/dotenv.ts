import { existsSync, readFileSync } from "node:fs";
import { parse } from "dotenv";
import { ConfigError } from "./config-error.ts";
import type { Env } from "./env.ts";
import type { EnvSource } from "./langgraph-json.ts";

export interface ProjectVariables {
  variables: Record<string, string>;
  warnings: string[];
}

/**
 * The variables that langgraph.json brings along. They never override the
 * environment: whoever merges them lets that win.
 */
export function readProjectVariables(
  source: EnvSource,
  { env, mode }: { env: Env; mode: "dev" | "start" },
): ProjectVariables {
  switch (source.kind) {
    case "none":
      return { variables: {}, warnings: [] };
    case "map":
      return { variables: source.variables, warnings: [] };
    case "required":
      requireVariables(source.names, env);
      return { variables: {}, warnings: [] };
    case "file":
      return readFile(source.path, mode);
  }
}

function readFile(path: string, mode: "dev" | "start"): ProjectVariables {
  if (existsSync(path))
    return { variables: parse(readFileSync(path)), warnings: [] };
  const missing = `langgraph.json: env names ${path}, which does not exist`;
  // A fresh checkout has no .env yet; in production a missing one is a mistake that would show much later.
  if (mode === "dev") return { variables: {}, warnings: [missing] };
  throw new ConfigError(`${missing}; create it, or remove the key`);
}

function requireVariables(names: string[], env: Env): void {
  const missing = names.filter((name) => !env[name]);
  if (missing.length > 0)
    throw new ConfigError(
      `langgraph.json: env asks for ${missing.join(", ")}, which the environment does not have; export what is missing`,
    );
}
