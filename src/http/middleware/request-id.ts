import { randomUUID } from "node:crypto";
import type { MiddlewareHandler } from "hono";
import type { AppEnv } from "../deps.ts";

/** Printable ASCII without spaces, so that an id can break neither a header nor a log line. */
const SANE = /^[\x21-\x7e]{1,200}$/;

/** Echoes the client's `x-request-id`, or makes one: `c.get("requestId")`. */
export function requestId(): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    const asked = c.req.header("x-request-id");
    const id = asked !== undefined && SANE.test(asked) ? asked : randomUUID();
    c.set("requestId", id);
    await next();
    c.res.headers.set("x-request-id", id);
  };
}
