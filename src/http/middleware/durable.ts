import type { MiddlewareHandler } from "hono";
import type { Database } from "../../storage/database.ts";
import type { AppEnv } from "../deps.ts";

/**
 * No response leaves before what it tells of is on the disk, whoever wrote it:
 * the one place where the API acknowledges anything.
 */
export function durable(
  database: Pick<Database, "durable">,
): MiddlewareHandler<AppEnv> {
  return async (_, next) => {
    await next();
    await database.durable();
  };
}
