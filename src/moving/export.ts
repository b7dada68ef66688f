import { uuid7 } from "../lib/uuid.ts";
import type { Logger } from "../lib/logger.ts";
import { VERSION } from "../lib/package-version.ts";
import type { Queryable } from "../storage/database.ts";
import { schemaNumber } from "../storage/migrate.ts";
import { UNITS, type MovedTable, type Unit } from "../storage/moved-tables.ts";
import type { StorageSettings } from "../storage/open.ts";
import { withSnapshot } from "../storage/snapshot.ts";
import { pageOfRows, type Row } from "../storage/table-rows.ts";
import {
  FORMAT,
  writeLines,
  type EndLine,
  type Header,
  type RowLine,
} from "./file.ts";
import { portableRow } from "./rows.ts";

/** Rows by table. */
export type Counts = Record<string, number>;

/** Everything in the database of the settings, as it is at one moment. */
export const exportAll = (
  path: string,
  settings: StorageSettings,
  log: Logger,
): Promise<Counts> => withSnapshot(settings, log, (db) => exportTo(path, db));

/** Everything that `db` shows, which must be one snapshot. Returns what went into the file. */
export async function exportTo(path: string, db: Queryable): Promise<Counts> {
  const counts: Counts = {};
  await writeLines(path, exportedLines(db, counts));
  return counts;
}

async function* exportedLines(
  db: Queryable,
  counts: Counts,
): AsyncGenerator<Header | RowLine | EndLine> {
  yield {
    spool: "export",
    format: FORMAT,
    schema: await schemaNumber(db),
    export_id: uuid7(),
    exported_at: new Date().toISOString(),
    version: VERSION,
    source: db.dialect.name,
  };
  for (const unit of UNITS)
    for await (const [table, row] of rowsOf(db, unit)) {
      counts[table] = (counts[table] ?? 0) + 1;
      yield { table, row: portableRow(table, row) };
    }
  yield { end: { rows: counts } };
}

/**
 * Each head followed by its parts. All tables are read side by side in the
 * order of the unit's key, so there is no query per head; a part's head is
 * always there, by its foreign key.
 */
async function* rowsOf(
  db: Queryable,
  { head, parts }: Unit,
): AsyncGenerator<[table: string, row: Row]> {
  const cursors = parts.map((table) => ({ table, rows: new Rows(db, table) }));
  const belongsTo = (row: Row | null, to: Row): row is Row =>
    row !== null && head.key.every((name) => row[name] === to[name]);
  const heads = new Rows(db, head);
  for (let row = await heads.peek(); row; row = await heads.peek()) {
    heads.take();
    yield [head.name, row];
    for (const { table, rows } of cursors)
      for (
        let part = await rows.peek();
        belongsTo(part, row);
        part = await rows.peek()
      ) {
        rows.take();
        yield [table.name, part];
      }
  }
}

const MOST_ROWS = 500;
const PAGE_BYTES = 1024 * 1024;

/** A table from its first row to its last, in pages of about a megabyte. */
class Rows {
  readonly #db: Queryable;
  readonly #table: MovedTable;
  #page: Row[] = [];
  #at = 0;
  #last: Row | null = null;
  #limit = 50;
  #isOver = false;

  constructor(db: Queryable, table: MovedTable) {
    this.#db = db;
    this.#table = table;
  }

  async peek(): Promise<Row | null> {
    if (this.#at >= this.#page.length && !this.#isOver) await this.#read();
    return this.#page[this.#at] ?? null;
  }

  take(): void {
    this.#at += 1;
  }

  async #read(): Promise<void> {
    const limit = this.#limit;
    const page = await pageOfRows(this.#db, this.#table, {
      after: this.#last,
      limit,
    });
    this.#page = page;
    this.#at = 0;
    this.#isOver = page.length < limit;
    this.#last = page.at(-1) ?? this.#last;
    const bytes = page.reduce((sum, row) => sum + sizeOf(row), 1);
    this.#limit = Math.min(
      Math.max(Math.floor((PAGE_BYTES * page.length) / bytes), 1),
      MOST_ROWS,
    );
  }
}

/** About; what is nested counts as JSON. */
const sizeOf = (row: Row): number =>
  Object.values(row).reduce<number>((sum, value) => {
    if (typeof value === "string" || value instanceof Uint8Array)
      return sum + value.length;
    return sum + (value === null ? 0 : (JSON.stringify(value)?.length ?? 0));
  }, 0);
