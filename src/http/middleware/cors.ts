import type { MiddlewareHandler } from "hono";
import type { CorsSettings } from "../../model/cors.ts";

/** Without these the SDKs in a browser cannot resume a stream or page through a search. */
const ALWAYS_EXPOSED = [
  "content-location",
  "location",
  "x-pagination-total",
  "x-pagination-next",
];

const METHODS = "GET,HEAD,POST,PUT,PATCH,DELETE,OPTIONS";

/** Answers preflights, and marks every other response for the origin that asked. */
export function cors(settings: CorsSettings): MiddlewareHandler {
  const allowedOrigin = originRule(settings);
  const exposed = [
    ...new Set([
      ...settings.expose_headers.map((name) => name.toLowerCase()),
      ...ALWAYS_EXPOSED,
    ]),
  ].join(",");

  return async (c, next) => {
    const asked = c.req.header("origin");
    const origin = asked === undefined ? null : allowedOrigin(asked);
    const isPreflight =
      c.req.method === "OPTIONS" &&
      asked !== undefined &&
      c.req.header("access-control-request-method") !== undefined;
    if (isPreflight)
      c.res = new Response(null, {
        status: 204,
        headers: preflightHeaders(
          settings,
          c.req.header("access-control-request-headers"),
        ),
      });
    else await next();
    if (asked === undefined) return;
    const { headers } = c.res;
    if (origin !== "*") headers.append("Vary", "Origin");
    if (origin === null) return;
    headers.set("Access-Control-Allow-Origin", origin);
    headers.set("Access-Control-Expose-Headers", exposed);
    if (settings.allow_credentials)
      headers.set("Access-Control-Allow-Credentials", "true");
  };
}

type OriginRule = (origin: string) => string | null;

/** What a page at the origin is answered as allowed; null when it is not. */
export function originRule(settings: CorsSettings): OriginRule {
  if (settings.allow_origin_regex !== null) {
    const pattern = new RegExp(`^(?:${settings.allow_origin_regex})$`);
    return (origin) => (pattern.test(origin) ? origin : null);
  }
  if (settings.allow_origins.includes("*"))
    // A wildcard with credentials would let every site act as the user: browsers refuse the pair, so do we.
    return () => (settings.allow_credentials ? null : "*");
  const origins = new Set(settings.allow_origins);
  return (origin) => (origins.has(origin) ? origin : null);
}

function preflightHeaders(
  settings: CorsSettings,
  askedHeaders: string | undefined,
): Record<string, string> {
  const isAnyHeader = settings.allow_headers.includes("*");
  const allowed = isAnyHeader ? askedHeaders : settings.allow_headers.join(",");
  return {
    "Access-Control-Allow-Methods": settings.allow_methods.includes("*")
      ? METHODS
      : settings.allow_methods.join(","),
    "Access-Control-Max-Age": String(settings.max_age),
    ...(allowed ? { "Access-Control-Allow-Headers": allowed } : {}),
  };
}
