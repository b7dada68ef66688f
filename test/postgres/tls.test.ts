/** TLS as the address of the database asks for it. */
import { chmodSync, chownSync, cpSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { askPostgres } from "../support/ask-postgres.ts";
import { PostgresCluster, serverUser } from "../support/postgres-cluster.ts";
import { Program } from "../support/program.ts";
import { ALL_GRAPHS, startServer } from "../support/server.ts";
import { waitFor } from "../support/wait.ts";

vi.setConfig({ testTimeout: 60_000 });

const FILES = fileURLToPath(new URL("../fixtures/tls", import.meta.url));
const CA = join(FILES, "ca.pem");
const OTHER_CA = join(FILES, "other-ca.pem");

let plain: PostgresCluster;
let secured: PostgresCluster;

beforeAll(async () => {
  plain = new PostgresCluster();
  secured = new PostgresCluster({ settings: tlsSettings });
  await Promise.all([plain.start(), secured.start()]);
  await askPostgres(secured.uri(), "create database spool");
});

afterAll(async () => {
  await plain?.remove();
  await secured?.remove();
});

/** TLS or nothing, but for the administrator; the certificate is that of `localhost`. */
function tlsSettings(directory: string): Record<string, string> {
  const hba = join(directory, "hba.conf");
  writeFileSync(
    hba,
    "hostssl spool all 127.0.0.1/32 trust\nhostnossl postgres all 127.0.0.1/32 trust\n",
  );
  const [cert, key] = ["server.pem", "server.key"].map((name) => {
    const file = join(directory, name);
    cpSync(join(FILES, name), file);
    const user = serverUser();
    if (user !== null) chownSync(file, user.uid, user.gid);
    chmodSync(file, 0o600); // Postgres insists
    return file;
  }) as [string, string];
  chmodSync(hba, 0o644);
  return { ssl: "on", ssl_cert_file: cert, ssl_key_file: key, hba_file: hba };
}

const address = (parameters: string, host = "localhost"): string =>
  `postgres://spool@${host}:${secured.port}/spool${parameters}`;

/** What a server says that does not start. */
async function refusal(uri: string): Promise<string> {
  const started = new Program(["start", "--no-browser", "--port", "0"], {
    config: ALL_GRAPHS,
    dataDir: join(secured.directory, "spool"),
    env: { POSTGRES_URI: uri },
  });
  const { code, stderr } = await started.ended;
  expect(code).toBe(1);
  return stderr;
}

test.each([
  ["require, whose certificate nobody checks", "?sslmode=require", "127.0.0.1"],
  ["verify-ca", `?sslmode=verify-ca&sslrootcert=${CA}`, "127.0.0.1"],
  ["verify-full", `?sslmode=verify-full&sslrootcert=${CA}`, "localhost"],
])("sslmode=%s: every connection has TLS", async (_, parameters, host) => {
  const uri = address(parameters, host);
  const server = await startServer({ workers: 1, env: { POSTGRES_URI: uri } });
  await server.client.runs.wait(null, "slow", {
    input: { steps: 1, seconds: 0 },
  });
  await waitFor("one of them listens", async () => {
    const lines = await askPostgres<{ ssl: boolean; query: string }>(
      secured.uri(),
      `select ssl, query from pg_stat_ssl join pg_stat_activity using (pid)
       where application_name = 'spool'`,
    );
    expect(lines.every(({ ssl }) => ssl)).toBe(true);
    return lines.some((line) => /listen|pg_notify/.test(line.query));
  });
  expect(server.output()).not.toMatch(/warn/i);
});

test.each([
  [
    "a certificate of another authority",
    () => address(`?sslmode=verify-full&sslrootcert=${OTHER_CA}`),
    "?sslmode=verify-full&sslrootcert=",
  ],
  [
    "require with another authority, which is checked then",
    () => address(`?sslmode=require&sslrootcert=${OTHER_CA}`),
    "?sslmode=verify-full&sslrootcert=",
  ],
  [
    "a certificate for another name",
    () => address(`?sslmode=verify-full&sslrootcert=${CA}`, "127.0.0.1"),
    "sslmode=verify-ca",
  ],
  [
    "a file that is not there",
    () => address("?sslmode=verify-full&sslrootcert=/nowhere/ca.pem"),
    "/nowhere/ca.pem",
  ],
  [
    "no sslmode, where there is TLS only",
    () => address(""),
    "add ?sslmode=verify-full",
  ],
  [
    "sslmode where there is no TLS",
    () => `${plain.uri()}?sslmode=require`,
    "take sslmode out of the address",
  ],
])("%s: it does not start, and says what to change", async (_, uri, remedy) => {
  expect(await refusal(uri())).toContain(remedy);
});

test("a direct address with a certificate of another authority: it polls, and says why", async () => {
  const server = await startServer({
    workers: 1,
    env: {
      POSTGRES_URI: address("?sslmode=require"),
      POSTGRES_DIRECT_URI: address(
        `?sslmode=verify-full&sslrootcert=${OTHER_CA}`,
      ),
    },
  });
  expect(server.output()).toMatch(/cannot listen.*\n.*certificate/);
});
