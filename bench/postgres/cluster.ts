import { once } from "node:events";
import { connect, createServer, type AddressInfo } from "node:net";
import { askPostgres } from "../../test/support/ask-postgres.ts";
import { PostgresCluster } from "../../test/support/postgres-cluster.ts";
import { Running, SPOOL } from "../compare/contender.ts";

/** A server with the settings of a careful installation: what it acknowledges is on the disk. */
export async function startCluster(): Promise<PostgresCluster> {
  const cluster = new PostgresCluster({
    settings: {
      shared_buffers: "1GB",
      max_wal_size: "4GB",
      shared_preload_libraries: "pg_stat_statements",
      "pg_stat_statements.track": "top",
    },
  });
  await cluster.start();
  return cluster;
}

/** An empty database of its own. */
export async function newDatabase(
  cluster: PostgresCluster,
  name: string,
): Promise<string> {
  await askPostgres(cluster.uri(), `create database ${name}`);
  const uri = cluster.uri(name);
  await askPostgres(uri, "create extension if not exists pg_stat_statements");
  return uri;
}

/** Spool on that database. */
export const startOn = (
  uri: string,
  env: Record<string, string> = {},
): Promise<Running> => Running.start(SPOOL, { POSTGRES_URI: uri, ...env });

/** The database behind a line on which each way takes so long. */
export async function slowLine(
  port: number,
  oneWayMs: number,
): Promise<{ port: number; close(): void }> {
  // As Postgres and its driver set it: else a second message waits for the peer to acknowledge the first.
  const noDelay = true;
  const server = createServer({ noDelay }, (client) => {
    const upstream = connect({ port, host: "127.0.0.1", noDelay });
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      from.on("data", (chunk) => setTimeout(() => to.write(chunk), oneWayMs));
      from.on("end", () => setTimeout(() => to.end(), oneWayMs));
      from.on("error", () => to.destroy());
    }
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    close: () => void server.close(),
  };
}
