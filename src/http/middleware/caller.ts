import type { MiddlewareHandler } from "hono";
import { ANONYMOUS } from "../../auth/caller.ts";
import { headerFilter, type HeaderRules } from "../../model/header-rules.ts";
import type { AppEnv } from "../deps.ts";

/** Says who asks: `c.get("caller")`. */
export function caller(
  configurableHeaders: HeaderRules | null,
): MiddlewareHandler<AppEnv> {
  const visible = headerFilter(configurableHeaders);
  return (c, next) => {
    c.set("caller", { ...ANONYMOUS, headers: visible(c.req.header()) });
    return next();
  };
}
