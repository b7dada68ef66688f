import { existsSync, readdirSync, rmSync, statSync, statfsSync } from "node:fs";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { migrate } from "../../src/storage/migrate.ts";
import { askPostgres, connectTo } from "./ask-postgres.ts";
import { PostgresCluster } from "./postgres-cluster.ts";

const TEMPLATE = "spool_template";

/** A folder in memory, where there is one. */
const MEMORY = "/dev/shm";
/** Databases, of which a few hundred megabytes are there at a time, and the log. */
const ROOM_BYTES = 2e9;
/** Whatever is that old and serves nobody is not just being made. */
const LEFT_MS = 600_000;

let cluster: PostgresCluster | null = null;

/** For the tests of this run: the server of SPOOL_TEST_POSTGRES_URI, or one that is started here. */
export async function setup(project: TestProject): Promise<void> {
  const given = process.env["SPOOL_TEST_POSTGRES_URI"];
  // What these tests are about is not the disk.
  const settings = {
    fsync: "off",
    full_page_writes: "off",
    max_wal_size: "256MB",
  };
  if (!given) {
    removeLeftBehind();
    const parent = hasRoom() ? { parent: MEMORY } : {};
    cluster = new PostgresCluster({ settings, ...parent });
  }
  await cluster?.start();
  const uri = await makeTemplate(cluster?.uri() ?? given ?? "");
  project.provide("postgresUri", uri);
}

export async function teardown(): Promise<void> {
  await cluster?.remove();
}

/** A new database is three hundred files: a quarter of a second on a disk, 20 ms in memory. */
function hasRoom(): boolean {
  if (!existsSync(MEMORY)) return false;
  const { bavail, bsize } = statfsSync(MEMORY);
  return bavail * bsize > ROOM_BYTES;
}

/** By runs that were killed: memory is not given back by itself. One that serves has a `postmaster.pid`. */
function removeLeftBehind(): void {
  if (!existsSync(MEMORY)) return;
  for (const name of readdirSync(MEMORY)) {
    if (!name.startsWith("spool-postgres-")) continue;
    const folder = join(MEMORY, name);
    const made = statSync(folder, { throwIfNoEntry: false })?.mtimeMs;
    const age = Date.now() - (made ?? Infinity);
    if (age > LEFT_MS && !existsSync(join(folder, "data/postmaster.pid")))
      rmSync(folder, { recursive: true, force: true });
  }
}

/** Copying a migrated database takes a tenth of the time of migrating one. */
async function makeTemplate(server: string): Promise<string> {
  await askPostgres(server, `drop database if exists ${TEMPLATE} with (force)`);
  await askPostgres(server, `create database ${TEMPLATE} template template0`);
  const uri = new URL(server);
  uri.pathname = `/${TEMPLATE}`;
  await using database = connectTo(uri.href);
  await migrate(database);
  return uri.href;
}
