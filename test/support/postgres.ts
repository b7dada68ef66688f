import { randomBytes } from "node:crypto";
import { inject } from "vitest";
import { askPostgres } from "./ask-postgres.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Of the server that test/support/start-postgres.ts has started; its database is a migrated, empty template. */
    postgresUri: string;
  }
}

/** Whether this file runs in the project that has everything on Postgres: see vitest.config.ts. */
export const isOnPostgres = (): boolean =>
  process.env["SPOOL_TEST_ENGINE"] === "postgres";

export interface CreatedDatabase {
  uri: string;
  drop(): Promise<void>;
}

/** A database of its own on the server of the tests. `migrated: false` leaves it without tables. */
export async function createDatabase({
  migrated = true,
} = {}): Promise<CreatedDatabase> {
  const server = new URL(inject("postgresUri"));
  const template = server.pathname.slice(1);
  const name = `spool_${randomBytes(8).toString("hex")}`;
  await administer(
    `create database ${name} template ${migrated ? template : "template0"}`,
  );
  return {
    uri: at(name),
    drop: () => administer(`drop database if exists ${name} with (force)`),
  };
}

const at = (database: string): string => {
  const uri = new URL(inject("postgresUri"));
  uri.pathname = `/${database}`;
  return uri.href;
};

/** One statement as the administrator of the server. */
export async function administer(statement: string): Promise<void> {
  await askPostgres(at("postgres"), statement);
}
