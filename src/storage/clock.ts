import type { Queryable } from "./database.ts";
import { sql } from "./sql.ts";

/** What the database's clock says. Several instances may disagree about the time; it does not. */
export async function readClock(db: Queryable): Promise<Date> {
  const [row] = await db.query<{ clock: string }>(
    sql`select ${db.dialect.now} as clock`,
  );
  return new Date(row?.clock ?? Number.NaN);
}
