import { onTestFinished } from "vitest";
import { createDatabase, type CreatedDatabase } from "./postgres.ts";
import { startServer, type ServerOptions, type TestServer } from "./server.ts";

/** A database for several servers; gone when the test is over. */
export async function sharedDatabase({
  migrated = true,
} = {}): Promise<CreatedDatabase> {
  const database = await createDatabase({ migrated });
  onTestFinished(() => database.drop());
  return database;
}

/** One of the servers on a database. */
export const startInstance = (
  { uri }: CreatedDatabase,
  { env, ...options }: ServerOptions = {},
): Promise<TestServer> =>
  startServer({ workers: 1, ...options, env: { ...env, POSTGRES_URI: uri } });

/** One that accepts runs and executes none. */
export const startApi = (database: CreatedDatabase): Promise<TestServer> =>
  startInstance(database, { env: { N_JOBS_PER_WORKER: "0" } });
