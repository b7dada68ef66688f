import { unavailable } from "../model/errors.ts";
import { raw } from "../storage/sql.ts";
import type { ServiceDeps } from "./deps.ts";

/** Throws `unavailable` when the database does not answer. */
export async function checkDatabase({
  database,
}: Pick<ServiceDeps, "database">): Promise<void> {
  try {
    await database.query(raw("select 1 as ok"));
  } catch (cause) {
    throw unavailable("the database does not answer", { cause });
  }
}
