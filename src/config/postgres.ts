import { ConfigError } from "./config-error.ts";
import type { PostgresSettings } from "./config.ts";
import type { Env } from "./env.ts";
import { firstSource, toBoolean, toInteger, type Source } from "./values.ts";

/** Enough for a hundred runs at once: none of them holds a connection. */
const POOL_SIZE = 10;

/**
 * The switch to Postgres: the first of these that is set. `DATABASE_URL` counts
 * only where the environment of the process has it: in a project's `.env` it
 * tends to be the database of the web app, of whatever kind.
 */
export function toPostgres(env: Env, processEnv: Env): PostgresSettings | null {
  const ofProcess = processEnv["DATABASE_URL"];
  const source = firstSource(
    ["POSTGRES_URI", env["POSTGRES_URI"]],
    ["POSTGRES_URI_CUSTOM", env["POSTGRES_URI_CUSTOM"]],
    ["DATABASE_URI", env["DATABASE_URI"]],
    ["DATABASE_URL", isPostgres(ofProcess) ? ofProcess : undefined],
  );
  if (source === null) return null;
  const direct = firstSource([
    "POSTGRES_DIRECT_URI",
    env["POSTGRES_DIRECT_URI"],
  ]);
  const size = firstSource([
    "LANGGRAPH_POSTGRES_POOL_MAX_SIZE",
    env["LANGGRAPH_POSTGRES_POOL_MAX_SIZE"],
  ]);
  const prepare = firstSource(["POSTGRES_PREPARE", env["POSTGRES_PREPARE"]]);
  return {
    uri: toUri(source),
    directUri: direct === null ? null : toUri(direct),
    poolSize: size ? toInteger(size, { min: 2, max: 1000 }) : POOL_SIZE,
    prepares: prepare ? toBoolean(prepare) : null,
  };
}

/** NOTE: the message does not repeat the value, which holds a password. */
function toUri({ name, text }: Source): string {
  if (isPostgres(text)) return text.trim();
  throw new ConfigError(
    `${name} must begin with postgres:// or postgresql://, as in postgres://user:password@host:5432/spool`,
  );
}

const isPostgres = (uri = ""): boolean =>
  /^postgres(ql)?:\/\/./.test(uri.trim());
