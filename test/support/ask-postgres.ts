import pg from "pg";
import { pino } from "pino";
import {
  PostgresDatabase,
  type PostgresOptions,
} from "../../src/storage/postgres.ts";

/** Rows of one statement, over a connection of its own. */
export async function askPostgres<Row extends pg.QueryResultRow>(
  uri: string,
  text: string,
  values: unknown[] = [],
): Promise<Row[]> {
  const client = new pg.Client({ connectionString: uri });
  client.on("error", () => {}); // the statement fails, too
  await client.connect();
  try {
    return (await client.query<Row>(text, values)).rows;
  } finally {
    await client.end().catch(() => {});
  }
}

/** Whether somebody who comes now is let in. */
export async function letsIn(uri: string): Promise<boolean> {
  try {
    await askPostgres(uri, "select 1");
    return true;
  } catch {
    return false;
  }
}

/** Our own side of a database, as a server of ours has it but for its log. */
export const connectTo = (
  uri: string,
  options: Partial<PostgresOptions> = {},
): PostgresDatabase =>
  new PostgresDatabase({
    ...{ uri, poolSize: 2, prepares: true, durability: "full" },
    log: pino({ level: "silent" }),
    ...options,
  });
