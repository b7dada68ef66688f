import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Client } from "@langchain/langgraph-sdk";
import pg from "pg";
import { onTestFinished } from "vitest";
import { askPostgres } from "./ask-postgres.ts";
import { PostgresCluster, type ClusterOptions } from "./postgres-cluster.ts";
import type { Random } from "./random.ts";
import type { Served } from "./served.ts";
import { CRASH_GRAPHS, TestServer, type ServerOptions } from "./server.ts";
import { TcpProxy } from "./tcp-proxy.ts";
import { waitFor } from "./wait.ts";

export interface FleetOptions {
  /** Picks the instance that answers a request. */
  random: Random;
  instances?: number;
  /** Statements for the empty database. */
  prepare?: string[];
  cluster?: ClusterOptions;
  server?: ServerOptions;
}

const BACK_MS = 60_000;

/**
 * Several instances on one Postgres that has its disk synced, behind a load
 * balancer that asks another one when the first does not listen. Each has a
 * line of its own to the database.
 */
export class Fleet implements Served {
  readonly directory = mkdtempSync(join(tmpdir(), "spool-fleet-"));
  readonly cluster: PostgresCluster;
  readonly servers: TestServer[] = [];
  readonly #lines = new Map<TestServer, TcpProxy>();
  /** Not asked by clients: stopped, or away. */
  readonly #resting = new Set<TestServer>();
  readonly #options: FleetOptions;

  private constructor(options: FleetOptions) {
    this.#options = options;
    this.cluster = new PostgresCluster({ ...options.cluster });
  }

  /** Gone at the end of the test. */
  static async start(options: FleetOptions): Promise<Fleet> {
    const fleet = new Fleet(options);
    onTestFinished(({ task }) =>
      fleet.#close({ keep: task.result?.state === "fail" }),
    );
    await fleet.cluster.start();
    for (const statement of options.prepare ?? []) await fleet.query(statement);
    for (let n = 0; n < (options.instances ?? 3); n += 1) await fleet.#add();
    await Promise.all(fleet.servers.map((server) => server.start()));
    return fleet;
  }

  get client(): Client {
    return this.#oneOf(this.#asked()).client;
  }

  async fetch(path: string, init?: RequestInit): Promise<Response> {
    const left = this.#asked();
    for (;;) {
      const server = this.#oneOf(left);
      left.splice(left.indexOf(server), 1);
      try {
        return await server.fetch(path, init);
      } catch (cause) {
        if (!isRefused(cause) || left.length === 0) throw cause;
      }
    }
  }

  send(method: string, path: string, body?: unknown): Promise<Response> {
    return this.fetch(path, {
      method,
      headers: { "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  }

  lineOf(server: TestServer): TcpProxy {
    const line = this.#lines.get(server);
    if (line === undefined) throw new Error("a server of another fleet");
    return line;
  }

  /** No client asks the server until `use`; what it was asked before is still its business. */
  rest(server: TestServer): void {
    this.#resting.add(server);
  }

  use(server: TestServer): void {
    this.#resting.delete(server);
  }

  isInUse(server: TestServer): boolean {
    return !this.#resting.has(server);
  }

  /** What was asked over connections that have broken has happened, or never will. */
  async settled(): Promise<void> {
    const broken = new Date();
    await waitFor(
      "an instance answers",
      async () => (await this.fetch("/ok")).ok,
      { timeoutMs: BACK_MS, everyMs: 50 },
    );
    await waitFor(
      "transactions from before have ended",
      async () => {
        // A backend ends what its client has sent, even when that is gone.
        const rows = await this.query(
          `select pid, query from pg_stat_activity
           where application_name = 'spool' and xact_start < $1`,
          [broken],
        );
        return rows.length === 0;
      },
      { timeoutMs: BACK_MS, everyMs: 20 },
    );
  }

  /** As the administrator, past every proxy. */
  query<Row extends pg.QueryResultRow>(
    text: string,
    values: unknown[] = [],
  ): Promise<Row[]> {
    return askPostgres<Row>(this.cluster.uri(), text, values);
  }

  async #add(): Promise<void> {
    const line = await TcpProxy.open(() => this.cluster.port);
    const uri = new URL(this.cluster.uri());
    uri.port = String(line.port);
    const { env, ...options } = this.#options.server ?? {};
    const server = new TestServer({
      config: CRASH_GRAPHS,
      workers: 1,
      ...options,
      env: { ...env, POSTGRES_URI: uri.href },
    });
    this.servers.push(server);
    this.#lines.set(server, line);
  }

  #asked(): TestServer[] {
    return this.servers.filter((server) => !this.#resting.has(server));
  }

  #oneOf(servers: TestServer[]): TestServer {
    return this.#options.random.pick(servers);
  }

  async #close({ keep }: { keep: boolean }): Promise<void> {
    await Promise.all(this.servers.map((server) => server.close({ keep })));
    for (const line of this.#lines.values()) await line[Symbol.asyncDispose]();
    await this.cluster.remove();
    if (!keep) rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Nothing listens, so nothing of it has happened. */
const isRefused = (cause: unknown): boolean =>
  ((cause as Error).cause as { code?: string } | undefined)?.code ===
  "ECONNREFUSED";
