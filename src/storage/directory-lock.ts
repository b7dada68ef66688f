import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { AppError } from "../model/errors.ts";
import { defaultSqliteDriver } from "./sqlite-driver.ts";

const SQLITE_BUSY = 5;

/**
 * One server per data directory. The lock is an open exclusive transaction on
 * a file of its own, so it belongs to the process as the kernel sees it: it is
 * gone the moment the process is, however it died, and no pid file can be
 * stale. The pid beside it is only for the message.
 */
export function lockDirectory(directory: string): Disposable {
  mkdirSync(directory, { recursive: true });
  const holderFile = join(directory, "spool.pid");
  const lock = defaultSqliteDriver().open(join(directory, "spool.lock"), {
    readOnly: false,
  });
  try {
    lock.exec("pragma locking_mode = exclusive");
    lock.exec("begin exclusive");
  } catch (cause) {
    lock.close();
    if (((cause as { errcode?: number }).errcode ?? 0) % 256 !== SQLITE_BUSY)
      throw cause;
    throw new AppError(
      "conflict",
      `data directory ${directory} is held by ${holder(holderFile)}; stop it or choose another --data-dir`,
      { cause },
    );
  }
  writeFileSync(
    holderFile,
    JSON.stringify({ pid: process.pid, started: new Date().toISOString() }),
  );
  return { [Symbol.dispose]: () => lock.close() };
}

function holder(file: string): string {
  try {
    const { pid, started } = JSON.parse(readFileSync(file, "utf8")) as {
      pid: number;
      started: string;
    };
    return `pid ${pid} (since ${started})`;
  } catch {
    return "another process";
  }
}
