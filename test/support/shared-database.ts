import type { Database } from "../../src/storage/database.ts";
import { seam } from "./seam.ts";

/** The same database as an instance sees it that has others beside it. */
export const shared = (database: Database): Database =>
  seam(database, { isExclusive: false });
