import { AppError } from "../model/errors.ts";

/** https://sqlite.org/rescode.html; the low byte is the primary code. */
const SQLITE_IOERR = 10;
const SQLITE_FULL = 13;

/** NOTE: `all` of @photostructure/sqlite throws errors without `errcode`; their messages are SQLite's own. */
const CODES = new Map([
  ["disk I/O error", SQLITE_IOERR],
  ["database or disk is full", SQLITE_FULL],
]);

function primaryCode(cause: unknown): number | undefined {
  const { errcode, message = "" } = cause as {
    errcode?: number;
    message?: string;
  };
  return errcode === undefined ? CODES.get(message) : errcode & 0xff;
}

/** What a client is told of a disk that fails; other errors as they are. */
export function translated(cause: unknown): unknown {
  const primary = primaryCode(cause);
  if (primary === SQLITE_FULL)
    return new AppError(
      "storage_full",
      "the disk that holds the data directory is full; free some space",
      { cause },
    );
  if (primary === SQLITE_IOERR)
    return new AppError(
      "unavailable",
      "the data directory cannot be written; see the server's log",
      { cause },
    );
  return cause;
}
