import { columnKind } from "./columns.ts";
import type { Queryable } from "./database.ts";
import type { MovedTable } from "./moved-tables.ts";
import { and, join, json, raw, sql, type Sql } from "./sql.ts";

/*
 * Whole rows of any table, for moving data between databases. A row is as the
 * seam gives it; what goes in is encoded by the name of its column.
 */

export type Row = Record<string, unknown>;

/** As many rows as one statement inserts or finds: its text is one of four, whatever the data. */
const AT_ONCE = [100, 20, 5, 1];

/** The rows after `after` in the table's order, at most `limit`. */
export async function pageOfRows(
  db: Queryable,
  table: MovedTable,
  { after, limit }: { after: Row | null; limit: number },
): Promise<Row[]> {
  const order = table.order ?? table.key;
  const columns = join(order.map(quoted), ", ");
  const where =
    after === null
      ? raw("1 = 1")
      : sql`(${columns}) > (${join(
          order.map((name) => sql`${parameter(name, after[name])}`),
          ", ",
        )})`;
  return db.query<Row>(sql`
    select * from ${quoted(table.name)} where ${where} order by ${columns} limit ${limit}`);
}

/** All rows of the same columns. Rows with a key that is taken stay out; returns how many came in. */
export async function insertRows(
  tx: Queryable,
  table: MovedTable,
  rows: readonly Row[],
): Promise<number> {
  let inserted = 0;
  for (const chunk of chunks(rows)) {
    const back = await tx.query(sql`
      insert into ${quoted(table.name)} (${columnsOf(chunk)}) values ${tuples(chunk)}
      on conflict (${join(table.key.map(quoted), ", ")}) do nothing
      returning ${quoted(table.key[0] ?? "")}`);
    inserted += back.length;
  }
  return inserted;
}

/** The row takes the place of the one with its key, if there is one; nothing that refers to that goes. */
export async function putRow(
  tx: Queryable,
  table: MovedTable,
  row: Row,
): Promise<void> {
  const others = Object.keys(row).filter((name) => !table.key.includes(name));
  const assigned = others.map(
    (name) => sql`${quoted(name)} = excluded.${quoted(name)}`,
  );
  await tx.query(sql`
    insert into ${quoted(table.name)} (${columnsOf([row])}) values ${tuples([row])}
    on conflict (${join(table.key.map(quoted), ", ")}) do update set ${join(assigned, ", ")}`);
}

/** The rows of the table that have the key of one of `rows`. */
export async function findRows(
  db: Queryable,
  table: MovedTable,
  rows: readonly Row[],
): Promise<Row[]> {
  const found: Row[] = [];
  for (const chunk of chunks(rows))
    found.push(
      ...(await db.query<Row>(sql`
        select * from ${quoted(table.name)}
        where ${join(
          chunk.map((row) => sql`(${hasKey(table.key, row)})`),
          " or ",
        )}`)),
    );
  return found;
}

/** Every row that belongs to a head with this key. */
export async function deleteRowsOf(
  tx: Queryable,
  table: MovedTable,
  of: { key: readonly string[]; head: Row },
): Promise<void> {
  await tx.query(
    sql`delete from ${quoted(table.name)} where ${hasKey(of.key, of.head)}`,
  );
}

export async function hasRows(
  db: Queryable,
  table: MovedTable,
): Promise<boolean> {
  const rows = await db.query(
    sql`select 1 as found from ${quoted(table.name)} limit 1`,
  );
  return rows.length > 0;
}

const hasKey = (key: readonly string[], row: Row): Sql =>
  and(key.map((name) => sql`${quoted(name)} = ${parameter(name, row[name])}`));

function* chunks(rows: readonly Row[]): Generator<readonly Row[]> {
  let start = 0;
  for (const size of AT_ONCE)
    for (; start + size <= rows.length; start += size)
      yield rows.slice(start, start + size);
}

const columnsOf = ([row = {}]: readonly Row[]): Sql =>
  join(Object.keys(row).map(quoted), ", ");

const tuples = (rows: readonly Row[]): Sql =>
  join(
    rows.map((row) => {
      const values = Object.entries(row).map(
        ([name, value]) => sql`${parameter(name, value)}`,
      );
      return sql`(${join(values, ", ")})`;
    }),
    ", ",
  );

function parameter(name: string, value: unknown): unknown {
  if (value === null || value === undefined) return null;
  const kind = columnKind(name);
  if (kind === "json") return json(value);
  return kind === "timestamp" ? new Date(String(value)) : value;
}

/** NOTE: names of columns come from files as well, so nothing else may get into the text. */
function quoted(name: string): Sql {
  if (!/^[a-z_][a-z0-9_]*$/.test(name))
    throw new Error(`${JSON.stringify(name)} is no name of a column`);
  return raw(`"${name}"`);
}
