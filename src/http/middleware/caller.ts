import type { MiddlewareHandler } from "hono";
import { ANONYMOUS } from "../../auth/caller.ts";
import type { AppEnv } from "../deps.ts";

/** Says who asks: `c.get("caller")`. */
export function caller(): MiddlewareHandler<AppEnv> {
  return (c, next) => {
    c.set("caller", ANONYMOUS);
    return next();
  };
}
