import { first, type Queryable } from "./database.ts";
import { sql } from "./sql.ts";

/** How far an import has come. */
export interface ImportMark {
  /** Lines of the file that are done. */
  lines: number;
  /** What the last line belongs to, when that is being imported. */
  unit: string | null;
}

/** Null when no import of the file has begun, or the last one has come to its end. */
export async function getImportMark(
  db: Queryable,
  exportId: string,
): Promise<ImportMark | null> {
  return first(
    db,
    sql`select lines, unit from imports where export_id = ${exportId} and finished_at is null`,
  );
}

export async function setImportMark(
  tx: Queryable,
  exportId: string,
  { lines, unit, isFinished }: ImportMark & { isFinished: boolean },
): Promise<void> {
  const { now } = tx.dialect;
  await tx.query(sql`
    insert into imports (export_id, lines, unit, created_at, updated_at)
    values (${exportId}, ${lines}, ${unit}, ${now}, ${now})
    on conflict (export_id) do update set
      lines = excluded.lines, unit = excluded.unit, updated_at = excluded.updated_at,
      finished_at = case when ${isFinished} then excluded.updated_at else null end`);
}
