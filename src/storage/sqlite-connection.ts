import { jsonContains } from "../lib/json.ts";
import { decodeRow } from "./columns.ts";
import type { Queryable } from "./database.ts";
import { needleReader } from "./json-needle.ts";
import { entriesReader } from "./metadata-entries.ts";
import { SQLITE } from "./sqlite-dialect.ts";
import type { SqliteConnection, SqliteStatement } from "./sqlite-driver.ts";
import { NearestParameter } from "./sqlite-nearest.ts";
import { JsonParameter, type Sql } from "./sql.ts";

/** A connection of a driver with our functions, and each statement prepared once. */
export class Connection implements Queryable {
  readonly dialect = SQLITE;
  readonly #connection: SqliteConnection;
  readonly #statements = new Map<string, SqliteStatement>();

  constructor(connection: SqliteConnection) {
    this.#connection = connection;
    // The reader may meet a checkpoint of the WAL; it waits rather than fails.
    connection.exec("pragma busy_timeout = 5000");
    const readNeedle = needleReader();
    connection.function(
      "json_contains",
      { deterministic: true },
      (column: string | null, needle: string) =>
        column !== null && jsonContains(JSON.parse(column), readNeedle(needle))
          ? 1
          : 0,
    );
    // SQLite's own lower() and like know the case of ASCII only.
    connection.function(
      "contains_text",
      { deterministic: true },
      (column: string | null, text: string) =>
        column !== null && column.toLowerCase().includes(text) ? 1 : 0,
    );
    connection.function(
      "json_merge",
      { deterministic: true },
      (column: string, patch: string) =>
        JSON.stringify(merged(JSON.parse(column), JSON.parse(patch))),
    );
    connection.function(
      "json_pick",
      { deterministic: true },
      (column: string, names: string) =>
        JSON.stringify(picked(JSON.parse(column), names.split(" "))),
    );
    // For the triggers that keep the index of the metadata.
    connection.function(
      "metadata_entries",
      { deterministic: true },
      entriesReader(),
    );
  }

  get isTransaction(): boolean {
    return this.#connection.isTransaction;
  }

  configure(): void {
    this.exec("pragma journal_mode = wal");
    // Syncs around its checkpoints, which keep the file whole; the log after commits is for LogSync.
    this.exec("pragma synchronous = normal");
    this.exec("pragma foreign_keys = on");
    // 10,000 pages between checkpoints of the WAL: 12,578 -> 14,565 inserts/s where the design was measured.
    this.exec("pragma wal_autocheckpoint = 10000");
    // Each write of a group has a savepoint; what takes it back went to a temporary file page by page: a fifth of an insert.
    this.exec("pragma temp_store = memory");
  }

  exec(text: string): void {
    this.#connection.exec(text);
  }

  /** Never throws: on a disk that fails, a rollback may fail as well, and the writers after this one must still be heard. */
  rollback(): void {
    try {
      if (this.isTransaction) this.exec("rollback");
    } catch {
      // The next `begin` fails too, and its writers are told.
    }
  }

  async query<Row>(statement: Sql): Promise<Row[]> {
    const rows = this.run(textOf(statement), statement.values.map(encoded));
    return rows as Row[];
  }

  run(text: string, values: readonly unknown[]): Record<string, unknown>[] {
    let prepared = this.#statements.get(text);
    if (prepared === undefined) {
      prepared = this.#connection.prepare(text);
      this.#statements.set(text, prepared);
    }
    const rows = prepared.all(...values);
    for (const row of rows) decodeRow(row);
    return rows;
  }

  close(): void {
    this.#statements.clear();
    this.#connection.close();
  }
}

export const textOf = (statement: Sql): string => statement.text(() => "?");

/** A parameter as the driver takes it. */
export function encoded(value: unknown): unknown {
  if (value instanceof JsonParameter) return value.toText();
  if (value instanceof Date) return value.getTime();
  if (value instanceof NearestParameter) return value.nearest;
  if (typeof value === "boolean") return value ? 1 : 0;
  if (value === undefined) throw new TypeError("undefined is no SQL parameter");
  return value;
}

/** Defined, not assigned: a member called `__proto__` is data like any other. */
function merged(target: object, patch: object): object {
  const result = Object.create(null) as Record<string, unknown>;
  for (const [key, value] of [
    ...Object.entries(target),
    ...Object.entries(patch),
  ])
    result[key] = value;
  return result;
}

const picked = (value: object, names: readonly string[]): object =>
  Object.fromEntries(
    Object.entries(value).filter(([name]) => names.includes(name)),
  );
