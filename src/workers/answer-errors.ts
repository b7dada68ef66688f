import { AppError, unavailable, type ErrorCode } from "../model/errors.ts";
import { PeerClosedError, PeerError } from "../protocol/peer.ts";

/** Codes that a worker may answer a client with. */
const CLIENT_CODES: ReadonlySet<string> = new Set<ErrorCode>([
  "bad_request",
  "not_found",
  "conflict",
  "invalid",
  "too_large",
  "not_implemented",
  "unavailable",
  "storage_full",
]);

/** What a client is told when a worker has answered a question with an error, or not at all. */
export function asAppError(cause: unknown): unknown {
  if (cause instanceof PeerError) {
    const { code, message, name } = cause.remote;
    if (code !== undefined && CLIENT_CODES.has(code))
      return new AppError(code as ErrorCode, message, { cause });
    return new Error(`a worker failed with ${name}: ${message}`, {
      cause: new Error(cause.remote.stack),
    });
  }
  if (cause instanceof PeerClosedError)
    return unavailable("the worker died while it answered; try again", {
      cause,
    });
  return cause;
}
