import type { MiddlewareHandler } from "hono";
import type { AppEnv } from "../deps.ts";

/**
 * No response leaves before what it tells of is on the disk, whoever wrote it:
 * the one place where the API acknowledges anything.
 */
export function durable(
  written: () => Promise<void>,
): MiddlewareHandler<AppEnv> {
  return async (_, next) => {
    await next();
    await written();
  };
}
