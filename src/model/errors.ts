/**
 * What can go wrong, in our words. `http/errors.ts` alone knows which status
 * each code becomes on the wire; nothing else in the program does.
 */
export type ErrorCode =
  | "bad_request" // the request makes no sense for this resource
  | "forbidden"
  | "not_found" // missing, or hidden by an access filter
  | "conflict" // exists already, busy, rejected by a multitask strategy
  | "too_large"
  | "invalid" // a field has a wrong value
  | "internal_error"
  | "not_implemented" // the contract has it, this version does not
  | "unavailable" // try again later
  | "storage_full";

export interface AppErrorOptions {
  cause?: unknown;
  /** Facts for the client, safe to send. */
  details?: Record<string, unknown>;
}

/** An error whose message may be shown to the client as it stands. */
export class AppError extends Error {
  override readonly name = "AppError";
  readonly code: ErrorCode;
  readonly details: Record<string, unknown> | undefined;

  constructor(code: ErrorCode, message: string, options: AppErrorOptions = {}) {
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.details = options.details;
  }
}

export const badRequest = (message: string, options?: AppErrorOptions) =>
  new AppError("bad_request", message, options);

export const forbidden = (message: string, options?: AppErrorOptions) =>
  new AppError("forbidden", message, options);

export const notFound = (message: string, options?: AppErrorOptions) =>
  new AppError("not_found", message, options);

export const conflict = (message: string, options?: AppErrorOptions) =>
  new AppError("conflict", message, options);

/** `field` is the path of the offending field, e.g. `supersteps[0].updates[1].as_node`. */
export const invalid = (field: string, reason: string) =>
  new AppError("invalid", `${field}: ${reason}`, {
    details: { errors: [{ field, message: reason }] },
  });

export const unavailable = (message: string, options?: AppErrorOptions) =>
  new AppError("unavailable", message, options);
