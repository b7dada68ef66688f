import type { Database } from "../../src/storage/database.ts";

/** The database with some of its methods in other words. */
export const seam = (
  database: Database,
  changes: Partial<Database>,
): Database => ({
  isExclusive: database.isExclusive,
  pollMs: database.pollMs,
  dialect: database.dialect,
  query: (statement) => database.query(statement),
  queryAside: (statement) => database.queryAside(statement),
  enableVectors: () => database.enableVectors(),
  write: (statement) => database.write(statement),
  writeAtOnce: (parts) => database.writeAtOnce(parts),
  transaction: (fn) => database.transaction(fn),
  durable: () => database.durable(),
  listen: (channel, fn, onGap) => database.listen(channel, fn, onGap),
  notify: (channel, payload) => database.notify(channel, payload),
  close: () => database.close(),
  [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
  ...changes,
});
