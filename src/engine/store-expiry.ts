import type { Logger } from "../lib/logger.ts";
import type { Database } from "../storage/database.ts";
import { deleteExpiredStoreItems } from "../storage/store.ts";
import { Duty } from "./duty.ts";

/** Rows per transaction: a sweep never holds up a request for long. */
const BATCH = 200;

/** Deletes store items whose time is over. Nobody sees them any more: this gives their room back. */
export const storeExpiry = (deps: {
  database: Database;
  log: Logger;
  everyMs: number;
}): Duty =>
  new Duty(deps, {
    name: "store-expiry",
    everyMs: deps.everyMs,
    work: async (signal) => {
      let deleted = BATCH;
      while (deleted === BATCH && !signal.aborted)
        deleted = await deps.database.transaction((tx) =>
          deleteExpiredStoreItems(tx, BATCH),
        );
      return null;
    },
  });
