import { raw } from "../../../src/storage/sql.ts";
import { INVARIANTS } from "../../chaos/invariants.ts";
import { missingValues } from "../../chaos/missing-values.ts";
import { connectTo } from "../../support/ask-postgres.ts";
import type { Fleet } from "../../support/fleet.ts";

/** Throws what is wrong with the data of a fleet. */
export async function requireWhole(fleet: Fleet): Promise<void> {
  await using database = connectTo(fleet.cluster.uri());
  const problems: string[] = [];
  for (const [what, text] of Object.entries(INVARIANTS))
    for (const row of await database.query(raw(text)))
      problems.push(`${what}: ${JSON.stringify(row)}`);
  problems.push(...(await missingValues(database)));
  if (problems.length === 0) return;
  const shown = problems.slice(0, 10).join("\n  ");
  throw new Error(`${problems.length} problems in the data:\n  ${shown}`);
}
