import type { Part, Queryable } from "../../../src/storage/database.ts";
import { atOnce, failedPart } from "../../../src/storage/postgres-at-once.ts";

class TooFewRows extends Error {
  readonly index: number;

  constructor(index: number) {
    super(`part ${index} has too few rows`);
    this.index = index;
  }
}

/** What `writeAtOnce` does, in a transaction that is watched: one statement on Postgres, each of them on SQLite. */
export async function writeAtOnceIn(
  tx: Queryable,
  parts: readonly Part[],
): Promise<void> {
  if (tx.dialect.name === "postgres")
    return void (await tx.query(atOnce(parts)));
  for (const [index, { statement, needs = 0 }] of parts.entries()) {
    const rows = await tx.query(statement);
    if (rows.length < needs) throw new TooFewRows(index);
  }
}

/** For the transaction around the above: what `writeAtOnce` answers. */
export function indexOfFailed(cause: unknown): number {
  if (cause instanceof TooFewRows) return cause.index;
  const index = failedPart(cause);
  if (index === null) throw cause;
  return index;
}
