import { isDeepStrictEqual } from "node:util";
import { groupedBy } from "../lib/grouped-by.ts";
import { systemAssistantId } from "../model/assistant.ts";
import { conflict } from "../model/errors.ts";
import type { Queryable } from "../storage/database.ts";
import { findRows, hasRows, type Row } from "../storage/table-rows.ts";
import {
  batchesOf,
  labelOf,
  PLACES,
  type PlacedRow,
} from "./import-batches.ts";
import { portableRow, storedRow } from "./rows.ts";

/**
 * Throws when the database has something else than the file says, and names
 * it; rows that are alike are none. Returns what may be replaced without a
 * question: the assistants that a server makes for its graphs at its first start.
 */
export async function requireNoConflict(
  db: Queryable,
  path: string,
  after: number,
): Promise<Set<string>> {
  const differing = new Set<string>();
  const yielding = new Set<string>();
  const filled = await filledTables(db);
  if (filled.size === 0) return yielding;
  for await (const { rows } of batchesOf(path, after))
    for (const [table, placed] of byTable(rows)) {
      if (!filled.has(table)) continue;
      for (const { row, label } of await differences(db, placed))
        (yields(table, row) ? yielding : differing).add(label);
    }
  for (const label of yielding) differing.delete(label);
  if (differing.size === 0) return yielding;
  throw differs([...differing], path);
}

const NAMED = 5;

/** The refusal of an import, with what it would have changed. */
export function differs(labels: readonly string[], from: string): Error {
  const named = labels.slice(0, NAMED).join(", ");
  const more = labels.length > NAMED ? ", …" : "";
  return conflict(
    `${labels.length} in the database differ from ${from}: ${named}${more}. ` +
      "Nothing was imported. With --on-conflict keep they stay as they are, with --on-conflict replace those of the import take their place",
  );
}

async function filledTables(db: Queryable): Promise<Set<string>> {
  const filled = new Set<string>();
  for (const [name, { table }] of PLACES)
    if (await hasRows(db, table)) filled.add(name);
  return filled;
}

export const byTable = (rows: readonly PlacedRow[]): Map<string, PlacedRow[]> =>
  groupedBy(rows, ({ place }) => place.table.name);

/** What the database has under the key of a row that is not that row. */
async function differences(
  db: Queryable,
  placed: readonly PlacedRow[],
): Promise<{ row: Row; label: string }[]> {
  const [{ place }] = placed as [PlacedRow];
  const { table } = place;
  const keyOf = (row: Row) =>
    JSON.stringify(table.key.map((name) => row[name]));
  const wanted = new Map(placed.map(({ row }) => [keyOf(row), row]));
  const found = await findRows(
    db,
    table,
    placed.map(({ row }) => storedRow(row)),
  );
  return found
    .map((row) => portableRow(table.name, row))
    .filter((row) => {
      const want = wanted.get(keyOf(row)) ?? {};
      return Object.keys(want).some(
        (name) => !isDeepStrictEqual(row[name], want[name]),
      );
    })
    .map((row) => ({ row, label: labelOf(place, row) }));
}

/** As a server has made it, and nobody has changed it since. */
export function yields(table: string, row: Row): boolean {
  if (table !== "assistants" && table !== "assistant_versions") return false;
  return (
    row["version"] === 1 &&
    row["assistant_id"] === systemAssistantId(String(row["graph_id"])) &&
    isDeepStrictEqual(row["metadata"], { created_by: "system" })
  );
}
