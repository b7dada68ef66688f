import type { Context } from "hono";
import { HTTPException } from "hono/http-exception";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { Logger } from "../lib/logger.ts";
import { AppError, type ErrorCode } from "../model/errors.ts";
import type { AppEnv } from "./deps.ts";

/** The only place that knows what our errors are on the wire. */
const STATUS: Record<ErrorCode, ContentfulStatusCode> = {
  bad_request: 400,
  forbidden: 403,
  not_found: 404,
  conflict: 409,
  too_large: 413,
  invalid: 422,
  internal_error: 500,
  not_implemented: 501,
  unavailable: 503,
  storage_full: 507,
};

/** For 503: long enough for a worker or a database to come back, short enough for somebody who waits. */
const RETRY_AFTER_SECONDS = 2;

/** Answers `{"detail": "<message>"}`; what we did not foresee is logged and not shown. */
export function errorResponse(
  error: unknown,
  c: Context<AppEnv>,
  log: Logger,
): Response {
  if (error instanceof HTTPException)
    return c.json(
      { detail: error.message },
      error.status as ContentfulStatusCode,
    );
  if (!(error instanceof AppError) || error.code === "internal_error") {
    const request_id = c.get("requestId");
    log.error(
      { err: error, request_id },
      `${c.req.method} ${c.req.path} failed`,
    );
    return c.json({ detail: `internal error; request id ${request_id}` }, 500);
  }
  const status = STATUS[error.code];
  if (status >= 503) log.warn({ err: error }, error.message);
  if (error.code === "unavailable")
    c.header("Retry-After", String(RETRY_AFTER_SECONDS));
  // The rest of the body may still be on its way; the connection is of no use any more.
  if (error.code === "too_large") c.header("Connection", "close");
  return c.json(errorBody(error), status);
}

function errorBody(error: AppError): Record<string, unknown> {
  const errors = error.details?.["errors"];
  return errors === undefined
    ? { detail: error.message }
    : { detail: error.message, errors };
}
