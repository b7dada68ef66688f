import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chownSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { freePort } from "./free-port.ts";
import { serverUser } from "./postgres-cluster.ts";
import { letsIn } from "./ask-postgres.ts";
import { waitFor } from "./wait.ts";

/** Debian's is not on everybody's path. */
const PATH = [process.env["PATH"], "/usr/sbin"].join(delimiter);

/** Connections to Postgres; fewer than Spool asks for, so that they are shared. */
export const SHARED_CONNECTIONS = 3;

export const hasPgBouncer = (): boolean =>
  spawnSync("pgbouncer", ["--version"], {
    env: { PATH },
    stdio: "ignore",
  }).status === 0;

/** The real PgBouncer in transaction mode, as its package sets it up, in front of a database. */
export class PgBouncer implements AsyncDisposable {
  readonly #folder = mkdtempSync(join(tmpdir(), "spool-pgbouncer-"));
  readonly #direct: URL;
  readonly #port: number;
  #process: ChildProcess | null = null;

  private constructor(direct: string, port: number) {
    this.#direct = new URL(direct);
    this.#port = port;
    this.#writeSettings();
  }

  /** `uri` is that of the database itself. */
  static async start(uri: string): Promise<PgBouncer> {
    const pooler = new PgBouncer(uri, await freePort());
    await pooler.start();
    return pooler;
  }

  get uri(): string {
    const uri = new URL(this.#direct);
    uri.host = `127.0.0.1:${this.#port}`;
    return uri.href;
  }

  /** At the same address as before. */
  async start(): Promise<void> {
    const child = spawn("pgbouncer", [join(this.#folder, "pgbouncer.ini")], {
      ...serverUser(),
      env: { PATH },
      stdio: ["ignore", "ignore", "pipe"],
    });
    let said = "";
    child.stderr.on("data", (chunk) => (said += chunk));
    this.#process = child;
    const ended = new AbortController();
    child.once("exit", () => ended.abort(new Error(`it ended: ${said}`)));
    await waitFor("PgBouncer answers", () => letsIn(this.uri), {
      signal: ended.signal,
    });
  }

  /** Every connection breaks. */
  async stop(): Promise<void> {
    const child = this.#process;
    this.#process = null;
    if (child === null || child.exitCode !== null) return;
    const exited = once(child, "exit");
    child.kill("SIGTERM");
    await exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #writeSettings(): void {
    const { hostname, port, username, password } = this.#direct;
    const users = join(this.#folder, "users.txt");
    const settings = join(this.#folder, "pgbouncer.ini");
    const text = [
      "[databases]",
      `* = host=${hostname} port=${port || 5432}`,
      "[pgbouncer]",
      "listen_addr = 127.0.0.1",
      `listen_port = ${this.#port}`,
      "unix_socket_dir =",
      "auth_type = trust",
      `auth_file = ${users}`,
      "pool_mode = transaction",
      `default_pool_size = ${SHARED_CONNECTIONS}`,
    ];
    writeFileSync(settings, `${text.join("\n")}\n`);
    writeFileSync(users, `"${username}" "${decodeURIComponent(password)}"\n`);
    const user = serverUser();
    if (user !== null)
      for (const path of [this.#folder, settings, users])
        chownSync(path, user.uid, user.gid);
  }
}
