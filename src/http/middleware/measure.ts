import type { MiddlewareHandler } from "hono";
import { matchedRoutes } from "hono/route";
import type { AppEnv } from "../deps.ts";
import type { RequestMetrics } from "../request-metrics.ts";

/** Takes the time of every request. Those that no route answers are one, so that nobody can make up routes. */
export function measure(metrics: RequestMetrics): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    const started = performance.now();
    await next();
    const route = matchedRoutes(c).at(-1)?.path ?? "";
    metrics.record({
      method: c.req.method,
      route: route.endsWith("*") ? "none" : route,
      status: c.res.status,
      seconds: (performance.now() - started) / 1000,
    });
  };
}
