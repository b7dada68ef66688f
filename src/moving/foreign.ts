import { isDeepStrictEqual } from "node:util";
import type { CheckpointWrite } from "../protocol/checkpoint-frames.ts";
import { writeCheckpoint } from "../storage/checkpoints.ts";
import type { Database, Queryable } from "../storage/database.ts";
import { findRows, insertRows, type Row } from "../storage/table-rows.ts";
import { differs, yields } from "./conflicts.ts";
import { labelOf, PLACES, type Place } from "./import-batches.ts";
import {
  countsOf,
  replaceHead,
  type ImportReport,
  type OnConflict,
} from "./import.ts";
import { portableRow, storedRow } from "./rows.ts";

/** Something of another server that becomes a row with what belongs to it. */
export interface ForeignUnit {
  /** The table of its head. */
  table: string;
  head: Row;
  /** The columns of the head that tell whether the database has it already, as it is. */
  compared: readonly string[];
  /** Everything else, which may take its time to come. Throws `Unmovable` when it cannot be had. */
  load?(): Promise<ForeignParts>;
}

export interface ForeignParts {
  /** Columns of the head that are known only now. */
  head?: Row;
  rows: readonly { table: string; row: Row }[];
  checkpoints: readonly { write: CheckpointWrite; run_id: string | null }[];
}

/** Why one unit stays behind; the others go on. */
export class Unmovable extends Error {}

export interface ForeignReport {
  tables: ImportReport["tables"];
  /** What stayed behind, and why. */
  failed: string[];
}

const NOTHING: ForeignParts = { rows: [], checkpoints: [] };

/**
 * Stores what `units` gives, each unit in a transaction of its own: who was
 * interrupted repeats it, and what is there already is only looked at. With
 * `refuse` all of them are looked at first, and nothing is stored when one differs.
 */
export async function importForeign(
  database: Database,
  params: {
    /** Where they come from. */
    source: string;
    units: () => AsyncIterable<ForeignUnit>;
    onConflict: OnConflict;
  },
): Promise<ForeignReport> {
  const { source, units, onConflict } = params;
  if (onConflict === "refuse") await requireAlike(database, source, units());
  const report: ForeignReport = { tables: {}, failed: [] };
  for await (const unit of units()) {
    const counts = countsOf(report.tables, unit.table);
    const there = await standing(database, unit);
    if (there === "alike" || (there === "differs" && onConflict === "keep")) {
      counts.kept += 1;
      continue;
    }
    try {
      await store(database, unit, report);
      if (there === "missing") counts.added += 1;
      else counts.replaced += 1;
    } catch (cause) {
      const reason = reasonOf(cause);
      if (reason === null) throw cause;
      const label = labelOf(placeOf(unit.table), unit.head);
      report.failed.push(`${label}: ${reason}`);
    }
  }
  await database.durable();
  return report;
}

/** Null: it is not about this unit. */
function reasonOf(cause: unknown): string | null {
  if (cause instanceof Unmovable) return cause.message;
  // In the words of either engine; a cron of an assistant that stayed behind, for instance.
  return /foreign key/i.test((cause as Error).message)
    ? "what it refers to is not here"
    : null;
}

async function requireAlike(
  db: Queryable,
  source: string,
  units: AsyncIterable<ForeignUnit>,
): Promise<void> {
  const differing: string[] = [];
  for await (const unit of units)
    if ((await standing(db, unit)) === "differs")
      differing.push(labelOf(placeOf(unit.table), unit.head));
  if (differing.length > 0) throw differs(differing, source);
}

async function standing(
  db: Queryable,
  { table, head, compared }: ForeignUnit,
): Promise<"missing" | "alike" | "differs" | "yields"> {
  const place = placeOf(table);
  const [found] = await findRows(db, place.table, [storedRow(head)]);
  if (found === undefined) return "missing";
  const row = portableRow(table, found);
  const isAlike = compared.every((name) =>
    isDeepStrictEqual(row[name], head[name]),
  );
  if (isAlike) return "alike";
  return yields(table, row) ? "yields" : "differs";
}

async function store(
  database: Database,
  unit: ForeignUnit,
  { tables }: ForeignReport,
): Promise<void> {
  const place = placeOf(unit.table);
  const parts = (await unit.load?.()) ?? NOTHING;
  const row = { ...unit.head, ...parts.head };
  await database.transaction(async (tx) => {
    await replaceHead(tx, { place, row });
    for (const { write, run_id } of parts.checkpoints)
      await writeCheckpoint(tx, write, run_id);
    for (const part of parts.rows)
      await insertRows(tx, placeOf(part.table).table, [storedRow(part.row)]);
  });
  for (const { table } of parts.rows) countsOf(tables, table).added += 1;
  const puts = parts.checkpoints.filter(({ write }) => write.kind === "put");
  if (puts.length > 0) countsOf(tables, "checkpoints").added += puts.length;
}

function placeOf(table: string): Place {
  const place = PLACES.get(table);
  if (place === undefined) throw new Error(`${table} is not moved`);
  return place;
}
