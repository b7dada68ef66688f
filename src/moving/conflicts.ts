import { isDeepStrictEqual } from "node:util";
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

const NAMED = 5;

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
  const [first, ...rest] = [...differing].slice(0, NAMED);
  const more = differing.size > NAMED ? ", …" : "";
  throw conflict(
    `${differing.size} in the database differ from ${path}: ${[first, ...rest].join(", ")}${more}. ` +
      "Nothing was imported. With --on-conflict keep they stay as they are, with --on-conflict replace the file's take their place",
  );
}

async function filledTables(db: Queryable): Promise<Set<string>> {
  const filled = new Set<string>();
  for (const [name, { table }] of PLACES)
    if (await hasRows(db, table)) filled.add(name);
  return filled;
}

export function byTable(rows: readonly PlacedRow[]): Map<string, PlacedRow[]> {
  const tables = new Map<string, PlacedRow[]>();
  for (const placed of rows) {
    const { name } = placed.place.table;
    const of = tables.get(name);
    if (of === undefined) tables.set(name, [placed]);
    else of.push(placed);
  }
  return tables;
}

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
function yields(table: string, row: Row): boolean {
  if (table !== "assistants" && table !== "assistant_versions") return false;
  return (
    row["version"] === 1 &&
    row["assistant_id"] === systemAssistantId(String(row["graph_id"])) &&
    isDeepStrictEqual(row["metadata"], { created_by: "system" })
  );
}
