import type { Part } from "./database.ts";
import { join, raw, sql, type Sql } from "./sql.ts";

/*
 * Several statements as one: each is a common table expression, and what
 * follows them fails when one has given too few rows, which takes back all.
 * That is a round trip, a statement and a commit where a transaction has
 * three of the first and three more of the second.
 *
 *   with part_0 as (update … returning …), part_1 as (insert …)
 *   select case when (select count(*) from part_0) < 1 then <fails> end
 *
 * Parts that need rows are executed in their order, and before the others: so
 * they take their locks in it.
 */

const INVALID_TEXT = "22P02";

/** What somebody reads who finds it in the log of the database. */
const TOLD =
  "spool: what this depends on has changed, nothing is stored; part ";

export function atOnce(parts: readonly Part[]): Sql {
  const tables = parts.map(
    ({ statement }, index) => sql`${nameOf(index)} as (${statement})`,
  );
  const checks = parts.flatMap(({ needs }, index) =>
    needs === undefined ? [] : [checkOf(index, needs)],
  );
  const checked = checks.length === 0 ? raw("1") : join(checks, ", ");
  return sql`with ${join(tables, ", ")} select ${checked}`;
}

const nameOf = (index: number): Sql => raw(`part_${index}`);

/** NOTE: the text is made of what was counted; a constant would be cast, and fail, when the statement is planned. */
function checkOf(index: number, needs: number): Sql {
  const count = sql`(select count(*) from ${nameOf(index)})`;
  const told = raw(`'${TOLD}${index}, rows '`);
  return sql`case when ${count} < ${needs} then cast(${told} || ${count} as integer) end`;
}

/** Which part has not given the rows that it needs; null when that is not why the statement has failed. */
export function failedPart(cause: unknown): number | null {
  const { code, message } = cause as { code?: string; message?: string };
  if (code !== INVALID_TEXT) return null;
  const index = message?.split(TOLD)[1];
  return index === undefined ? null : Number.parseInt(index, 10);
}
