import type { MiddlewareHandler } from "hono";
import type { Logger } from "../../lib/logger.ts";
import type { AppEnv } from "../deps.ts";

/** One line per request, when its response is ready to be sent; a stream's frames come after it. */
export function requestLog(log: Logger): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    const started = performance.now();
    await next();
    const { method, path } = c.req;
    const { status } = c.res;
    // Whoever watches over us asks every few seconds.
    const level = path === "/ok" ? "debug" : status >= 500 ? "warn" : "info";
    if (!log.isLevelEnabled(level)) return;
    const ms = Math.round((performance.now() - started) * 10) / 10;
    log[level](
      { request_id: c.get("requestId"), method, path, status, ms },
      `${method} ${path} ${status} ${ms}ms`,
    );
  };
}
