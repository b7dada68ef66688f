import type { Logger } from "../lib/logger.ts";
import { badRequest } from "../model/errors.ts";
import { CHANNELS } from "../storage/channels.ts";
import type { Database, Queryable } from "../storage/database.ts";
import { getImportMark, setImportMark } from "../storage/imports.ts";
import { schemaNumber } from "../storage/migrate.ts";
import { openDatabase, type StorageSettings } from "../storage/open.ts";
import {
  deleteRowsOf,
  findRows,
  insertRows,
  putRow,
  type Row,
} from "../storage/table-rows.ts";
import { byTable, requireNoConflict } from "./conflicts.ts";
import {
  batchesOf,
  labelOf,
  PLACES,
  readHeader,
  type Batch,
  type PlacedRow,
} from "./import-batches.ts";
import { storedRow } from "./rows.ts";

/** What happens to a thread, an assistant, … of the database that the file has as well, but not alike. */
export type OnConflict = "refuse" | "keep" | "replace";

export interface ImportCounts {
  /** Rows that were not there. */
  added: number;
  /** Rows of the file that came in for what was there. */
  replaced: number;
  /** Rows that are there as the file has them, or that --on-conflict keep has kept. */
  kept: number;
}

export interface ImportReport {
  /** By table. */
  tables: Record<string, ImportCounts>;
  /** The line after which an interrupted import was continued; 0: from the start. */
  continuedAfter: number;
}

/** Into the database of the settings, which is brought up to date first. On SQLite no server may have it open. */
export async function importFile(
  path: string,
  settings: StorageSettings,
  params: { log: Logger; onConflict: OnConflict },
): Promise<ImportReport> {
  await readHeader(path); // before a database is made for nothing
  await using database = await openDatabase(settings, params.log);
  return await importFrom(path, database, params);
}

/**
 * Stores what the file holds. Each batch and how far the file is done are one
 * transaction, so what was interrupted goes on where it stopped. Nothing is stored when
 * the database conflicts with the file and `onConflict` is `refuse`.
 */
export async function importFrom(
  path: string,
  database: Database,
  params: { onConflict: OnConflict; onProgress?: (lines: number) => void },
): Promise<ImportReport> {
  const { onConflict, onProgress } = params;
  const header = await readHeader(path);
  const schema = await schemaNumber(database);
  if (header.schema > schema)
    throw badRequest(
      `${path} was written by a newer version of Spool (${header.version}); update this one`,
    );
  const mark = await getImportMark(database, header.export_id);
  const continuedAfter = mark?.lines ?? 0;
  const yielding =
    onConflict === "refuse"
      ? await requireNoConflict(database, path, continuedAfter)
      : new Set<string>();
  const report: ImportReport = { tables: {}, continuedAfter };
  let progress: Progress = { lines: continuedAfter, unit: mark?.unit ?? null };
  for await (const batch of batchesOf(path, continuedAfter)) {
    const stored = await database.transaction(async (tx) => {
      const done = await storeBatch(tx, batch, {
        onConflict,
        yielding,
        unit: progress.unit,
      });
      const { lines } = batch;
      await setImportMark(tx, header.export_id, {
        ...{ lines, unit: done.unit, isFinished: false },
      });
      return done;
    });
    progress = { lines: batch.lines, unit: stored.unit };
    addUp(report.tables, stored.tables);
    onProgress?.(batch.lines);
  }
  await database.transaction((tx) =>
    setImportMark(tx, header.export_id, { ...progress, isFinished: true }),
  );
  await database.durable();
  database.notify(CHANNELS.runs, "");
  return report;
}

interface Progress {
  lines: number;
  unit: string | null;
}

interface Stored {
  tables: ImportReport["tables"];
  /** What the last row belongs to, if that is being imported. */
  unit: string | null;
}

async function storeBatch(
  tx: Queryable,
  { rows }: Batch,
  params: {
    onConflict: OnConflict;
    yielding: ReadonlySet<string>;
    unit: string | null;
  },
): Promise<Stored> {
  const { onConflict, yielding } = params;
  let { unit } = params;
  const taken = onConflict === "refuse" ? yielding : await takenBy(tx, rows);
  const tables: Stored["tables"] = {};
  const wanted: PlacedRow[] = [];
  for (const placed of rows) {
    const { place, row } = placed;
    const label = labelOf(place, row);
    const isTaken = place.isHead && taken.has(label);
    if (place.isHead) unit = isTaken && onConflict === "keep" ? null : label;
    if (unit !== label) countsOf(tables, place.table.name).kept += 1;
    else if (isTaken) {
      await replaceHead(tx, placed);
      countsOf(tables, place.table.name).replaced += 1;
    } else wanted.push(placed);
  }
  const grouped = byTable(wanted);
  for (const [name, { table }] of PLACES) {
    const group = grouped.get(name);
    if (group === undefined) continue;
    const stored = group.map(({ row }) => storedRow(row));
    const added = await insertRows(tx, table, stored);
    countsOf(tables, name).added += added;
    countsOf(tables, name).kept += group.length - added;
  }
  return { tables, unit };
}

/** The units that begin in the batch and are in the database already. */
async function takenBy(
  tx: Queryable,
  rows: readonly PlacedRow[],
): Promise<Set<string>> {
  const taken = new Set<string>();
  const heads = rows.filter(({ place }) => place.isHead);
  for (const group of byTable(heads).values()) {
    const [{ place }] = group as [PlacedRow];
    const stored = group.map(({ row }) => storedRow(row));
    for (const row of await findRows(tx, place.table, stored))
      taken.add(labelOf(place, row));
  }
  return taken;
}

/** The row stays, with the file's content: others may refer to it. What belongs to it goes. */
export async function replaceHead(
  tx: Queryable,
  { place, row }: PlacedRow,
): Promise<void> {
  const { head, parts } = place.unit;
  const stored: Row = storedRow(row);
  for (const part of parts)
    await deleteRowsOf(tx, part, { key: head.key, head: stored });
  await putRow(tx, head, stored);
}

export function countsOf(
  tables: ImportReport["tables"],
  name: string,
): ImportCounts {
  return (tables[name] ??= { added: 0, replaced: 0, kept: 0 });
}

function addUp(
  all: ImportReport["tables"],
  more: ImportReport["tables"],
): void {
  for (const [name, counts] of Object.entries(more)) {
    const of = countsOf(all, name);
    of.added += counts.added;
    of.replaced += counts.replaced;
    of.kept += counts.kept;
  }
}
