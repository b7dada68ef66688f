import { isObject } from "../lib/json.ts";
import { badRequest } from "../model/errors.ts";
import { UNITS, type MovedTable, type Unit } from "../storage/moved-tables.ts";
import type { Row } from "../storage/table-rows.ts";
import {
  FORMAT,
  readLines,
  type EndLine,
  type Header,
  type RowLine,
} from "./file.ts";

/** Where a row belongs. */
export interface Place {
  unit: Unit;
  table: MovedTable;
  isHead: boolean;
}

/** By the name of the table, in the order in which rows may be inserted. */
export const PLACES: ReadonlyMap<string, Place> = new Map(
  UNITS.flatMap((unit) =>
    [unit.head, ...unit.parts].map((table) => [
      table.name,
      { unit, table, isHead: table === unit.head },
    ]),
  ),
);

/** What people call the unit: "thread 0199…". Parts have the same. */
export const labelOf = ({ unit }: Place, row: Row): string =>
  `${unit.noun} ${unit.head.key.map((name) => row[name]).join("/")}`;

export interface PlacedRow {
  place: Place;
  row: Row;
}

export interface Batch {
  rows: PlacedRow[];
  /** The number of its last line. */
  lines: number;
}

/** A batch is one transaction. It ends where a unit ends, unless that is larger than what memory should hold. */
const BATCH = { rows: 1000, bytes: 4 * 1024 * 1024, most: 16 * 1024 * 1024 };

/** The rows after line `after`. Throws when the file is not whole. */
export async function* batchesOf(
  path: string,
  after: number,
): AsyncGenerator<Batch> {
  let rows: PlacedRow[] = [];
  let bytes = 0;
  let number = 0;
  let end: EndLine | null = null;
  for await (const text of readLines(path)) {
    number += 1;
    if (number === 1 || number <= after) continue;
    const line = parsed(path, text, number);
    if ("end" in line) {
      end = line;
      continue;
    }
    if (end !== null)
      throw badRequest(`${path} goes on after its end, in line ${number}`);
    const place = PLACES.get(line.table);
    if (place === undefined)
      throw badRequest(
        `line ${number} of ${path}: this version of Spool knows no table ${line.table}`,
      );
    const isFull = rows.length >= BATCH.rows || bytes >= BATCH.bytes;
    if ((isFull && place.isHead) || bytes >= BATCH.most) {
      yield { rows, lines: number - 1 };
      rows = [];
      bytes = 0;
    }
    rows.push({ place, row: line.row });
    bytes += text.length;
  }
  yield { rows, lines: number };
  const expected = Object.values(end?.end.rows ?? {});
  if (end === null || number !== expected.reduce((sum, n) => sum + n, 2))
    throw badRequest(
      `${path} ends early, after line ${number}: it is not the whole export`,
    );
}

/** Throws when the file is not an export, or one that this version can't read. */
export async function readHeader(path: string): Promise<Header> {
  for await (const text of readLines(path)) {
    // The first line is all that is looked at.
    const header = parsedOrNull(text) as Partial<Header> | null;
    if (header?.spool !== "export") break;
    if (header.format !== FORMAT)
      throw badRequest(
        `${path} has format ${header.format}, this version of Spool reads ${FORMAT}; update Spool`,
      );
    return header as Header;
  }
  throw badRequest(`${path} is no file of spool export`);
}

function parsed(path: string, text: string, number: number): RowLine | EndLine {
  const line = parsedOrNull(text);
  if (isObject(line) && (isObject(line["row"]) || isObject(line["end"])))
    return line as unknown as RowLine | EndLine;
  throw badRequest(
    `line ${number} of ${path} is damaged, or was cut off: it is not the whole export`,
  );
}

function parsedOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
