import { isObject } from "../lib/json.ts";
import { columnKind } from "../storage/columns.ts";
import type { Row } from "../storage/table-rows.ts";

/** A row as JSON that says the same on every engine; `portableRow` and back. Bytes are `{"base64": …}`. */
export function portableRow(table: string, row: Row): Row {
  const portable: Row = {};
  for (const [name, value] of Object.entries(row))
    portable[name] =
      value instanceof Uint8Array
        ? { base64: Buffer.from(value).toString("base64") }
        : value;
  if (table === "store_items") return { ...portable, ...UNINDEXED };
  if (table === "runs" && row["q"] === "running")
    return { ...portable, ...HANDED_BACK };
  // Nobody sends it where it arrives.
  if (table === "webhook_deliveries") return { ...portable, owner: null };
  return portable;
}

/** Its vectors stay behind: where it arrives, they are made anew. */
const UNINDEXED = { indexed_as: null };

/** Nobody executes it where it arrives: it goes on from its last checkpoint, as after the death of its server. */
const HANDED_BACK = { q: "ready", status: "pending", owner: null };

export function storedRow(portable: Row): Row {
  const row: Row = {};
  for (const [name, value] of Object.entries(portable))
    row[name] =
      columnKind(name) !== "json" && isObject(value)
        ? Buffer.from(String(value["base64"]), "base64")
        : value;
  return row;
}
