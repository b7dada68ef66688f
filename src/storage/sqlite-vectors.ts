import { createRequire } from "node:module";
import type { SqliteConnection } from "./sqlite-driver.ts";

const require = createRequire(import.meta.url);

/** Throws with what is missing and the remedy. */
export function loadVectorExtension(connection: SqliteConnection): void {
  let file: string;
  try {
    file = (
      require("sqlite-vec") as { getLoadablePath(): string }
    ).getLoadablePath();
  } catch (cause) {
    throw missing(
      `is not installed for ${process.platform}-${process.arch}`,
      cause,
    );
  }
  try {
    connection.enableLoadExtension(true);
    connection.loadExtension(file);
    connection.enableLoadExtension(false);
  } catch (cause) {
    throw missing(`could not be loaded (${(cause as Error).message})`, cause);
  }
}

const missing = (what: string, cause: unknown): Error =>
  new Error(
    `store.index needs the SQLite extension sqlite-vec, which ${what}; run "npm install sqlite-vec" where Spool is installed (it comes for Linux with glibc and macOS, x64 and arm64, and for Windows x64), or remove store.index from langgraph.json`,
    { cause },
  );
