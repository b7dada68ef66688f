import type { Config, Flags } from "./config.ts";
import type { Env } from "./env.ts";
import { firstSource, toInteger } from "./values.ts";

const DEFAULT_PORT = 2024;

export function toListener(
  flags: Flags,
  { env, processEnv }: { env: Env; processEnv: Env },
): Pick<Config, "host" | "port"> {
  const port = firstSource(
    ["--port", flags.port],
    ["LANGGRAPH_SERVER_PORT", env["LANGGRAPH_SERVER_PORT"]],
    // NOTE: not from the project's .env, where PORT tends to be that of the web app beside the graphs.
    ["PORT", processEnv["PORT"]],
  );
  const host = firstSource(
    ["--host", flags.host],
    ["LANGGRAPH_SERVER_HOST", env["LANGGRAPH_SERVER_HOST"]],
  );
  return {
    host: host?.text.trim() ?? "127.0.0.1",
    port: port
      ? { value: toInteger(port, { min: 0, max: 65_535 }), explicit: true }
      : { value: DEFAULT_PORT, explicit: false },
  };
}

export const isLoopback = (host: string): boolean =>
  host === "localhost" || host === "::1" || /^127\.\d+\.\d+\.\d+$/.test(host);
