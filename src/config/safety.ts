import type { Config, Machine } from "./config.ts";
import { ConfigError } from "./config-error.ts";
import type { Env } from "./env.ts";
import type { Project } from "./langgraph-json.ts";
import { isLoopback } from "./listener.ts";

interface Facts {
  config: Config;
  env: Env;
  machine: Machine;
  project: Project;
}

/**
 * What the user should know before the server starts. Throws when starting
 * would expose what they have asked to protect.
 */
export function safetyWarnings(facts: Facts): string[] {
  return [
    ...facts.project.warnings,
    ...protectionWarnings(facts),
    ...storageWarnings(facts),
    ...exposureWarnings(facts),
    ...runtimeWarnings(facts),
  ];
}

function protectionWarnings({ config, env, project }: Facts): string[] {
  const keys = project.protective.map((key) => `langgraph.json: ${key}`);
  if (env["LANGGRAPH_AES_KEY"]) keys.push("LANGGRAPH_AES_KEY");
  if (env["LANGGRAPH_AUTH_TYPE"] && env["LANGGRAPH_AUTH_TYPE"] !== "noop")
    keys.push("LANGGRAPH_AUTH_TYPE");
  const harmless = config.mode === "dev" && isLoopback(config.host);
  return keys.map((key) => {
    if (harmless)
      return `${key} is not served by this version: nothing is protected by it`;
    throw new ConfigError(
      `${key} is not served by this version, and starting without it would leave data unprotected; remove it to start anyway`,
    );
  });
}

function storageWarnings({ env }: Facts): string[] {
  return env["REDIS_URI"] ? ["REDIS_URI: nothing of Spool needs Redis"] : [];
}

function exposureWarnings({ config }: Facts): string[] {
  if (isLoopback(config.host)) return [];
  return [
    `listening on ${config.host}: there is no authentication, so whoever reaches this address can read and run everything`,
  ];
}

function runtimeWarnings({ machine, project }: Facts): string[] {
  const { nodeVersion } = project;
  if (nodeVersion === null || nodeVersion <= machine.nodeMajor) return [];
  return [
    `langgraph.json asks for Node ${nodeVersion}; this is Node ${machine.nodeMajor}`,
  ];
}
