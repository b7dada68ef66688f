import { createRequire } from "node:module";

/** The part of the `DatabaseSync` API that we use. Both drivers have it. */
export interface SqliteConnection {
  readonly isTransaction: boolean;
  exec(text: string): void;
  prepare(text: string): SqliteStatement;
  function(
    name: string,
    options: { deterministic: boolean },
    fn: (...values: never[]) => unknown,
  ): void;
  enableLoadExtension(allow: boolean): void;
  loadExtension(path: string): void;
  close(): void;
}

export interface SqliteStatement {
  all(...values: unknown[]): Record<string, unknown>[];
}

interface OpenOptions {
  readOnly: boolean;
  allowExtension?: boolean;
}

export interface SqliteDriver {
  readonly name: "node:sqlite" | "@photostructure/sqlite";
  open(path: string, options: OpenOptions): SqliteConnection;
}

type DatabaseSync = new (
  path: string,
  options: OpenOptions,
) => SqliteConnection;

const require = createRequire(import.meta.url);

export function loadSqliteDriver(
  name: SqliteDriver["name"],
): SqliteDriver | null {
  try {
    const { DatabaseSync } = quietly(
      () => require(name) as { DatabaseSync: DatabaseSync },
    );
    return {
      name,
      open: (path, options) => new DatabaseSync(path, options),
    };
  } catch (cause) {
    if (isMissing(cause)) return null;
    throw cause;
  }
}

/** What the runtime has built in, else the package with the same API. */
export function defaultSqliteDriver(): SqliteDriver {
  const driver =
    loadSqliteDriver("node:sqlite") ??
    loadSqliteDriver("@photostructure/sqlite");
  if (driver !== null) return driver;
  throw new Error(
    "no SQLite driver: use Node 22.13 or later, or install @photostructure/sqlite",
  );
}

function isMissing(cause: unknown): boolean {
  const code = (cause as { code?: string }).code;
  return code === "MODULE_NOT_FOUND" || code === "ERR_UNKNOWN_BUILTIN_MODULE";
}

/** Node calls its SQLite experimental on the first import; that is no news to a user of ours. */
function quietly<T>(load: () => T): T {
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    return load();
  } finally {
    process.emitWarning = emitWarning;
  }
}
