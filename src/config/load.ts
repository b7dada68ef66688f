import { availableParallelism } from "node:os";
import type { Config, Flags, Mode } from "./config.ts";
import { readProjectVariables } from "./dotenv.ts";
import { readEnv } from "./env.ts";
import { readProject } from "./langgraph-json.ts";
import { resolveConfig } from "./resolve-config.ts";

/** Reads what there is to read, once, and makes a Config of it. Throws a `ConfigError`. */
export function loadConfig(
  mode: Mode,
  flags: Flags,
): { config: Config; warnings: string[] } {
  const env = readEnv();
  const project = readProject(flags.config ?? ".");
  const { variables, warnings } = readProjectVariables(project.env, {
    env,
    mode,
  });
  const machine = {
    env,
    cores: availableParallelism(),
    nodeMajor: Number.parseInt(process.versions.node, 10),
    isTerminal: process.stdout.isTTY === true,
  };
  const resolved = resolveConfig({ mode, flags, machine, project, variables });
  return {
    config: resolved.config,
    warnings: [...warnings, ...resolved.warnings],
  };
}
