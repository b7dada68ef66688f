import { AppError, unavailable } from "../model/errors.ts";

/** https://www.postgresql.org/docs/current/errcodes-appendix.html */
const SERIALIZATION_FAILURE = "40001";
const DEADLOCK_DETECTED = "40P01";
const INVALID_PARAMETER = "22023";
const DISK_FULL = "53100";

/** The server went, goes or is not there yet, has no connection left, or has given up on us; also what `pg` says of sockets. */
const CONNECTION_CODES =
  /^(08...|57P0[1-5]|53300|25P03|ECONN(REFUSED|RESET|ABORTED)|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN)$/;

/** NOTE: `pg` has no code for these. */
const CONNECTION_MESSAGES =
  /connection (terminated|error|timeout)|timeout exceeded when trying to connect|client was closed|not queryable|stream (was )?(ended|destroyed)|query read timeout/i;

const codeOf = (cause: unknown): string =>
  String((cause as { code?: unknown } | null)?.code ?? "");

/** Another transaction was in the way; nothing of this one is stored. */
export const isContention = (cause: unknown): boolean =>
  [SERIALIZATION_FAILURE, DEADLOCK_DETECTED].includes(codeOf(cause));

export const isInvalidParameter = (cause: unknown): boolean =>
  codeOf(cause) === INVALID_PARAMETER;

/** NOTE: PgBouncer has the code of a broken connection for most of what it says. */
export const isRefusedSetting = (cause: unknown): boolean =>
  cause instanceof Error &&
  cause.message.includes("unsupported startup parameter");

/** The database cannot be reached at the moment. */
export const isDisconnection = (cause: unknown): boolean =>
  cause instanceof Error &&
  !(cause instanceof AppError) &&
  !isRefusedSetting(cause) &&
  (CONNECTION_CODES.test(codeOf(cause)) ||
    CONNECTION_MESSAGES.test(cause.message));

export function translated(cause: unknown): unknown {
  if (codeOf(cause) === DISK_FULL)
    return new AppError(
      "storage_full",
      "the disk of the database is full; free some space",
      { cause },
    );
  if (isDisconnection(cause))
    return unavailable("the database cannot be reached; try again", { cause });
  return cause;
}
