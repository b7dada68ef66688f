import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  mkdtempSync,
  readFileSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findBinaries } from "./postgres-binaries.ts";
import { letsIn } from "./ask-postgres.ts";
import { waitFor } from "./wait.ts";
import { freePort } from "./free-port.ts";

export interface ClusterOptions {
  /** Server settings, as `-c name=value`; or what makes their files in its directory. */
  settings?:
    Record<string, string> | ((directory: string) => Record<string, string>);
  binaries?: string;
  /** The parent of its directory, for one on a disk of its own. */
  parent?: string;
}

/** A Postgres server in a directory of its own, on a free port of the loopback interface. */
export class PostgresCluster {
  readonly directory: string;
  readonly #settings: Record<string, string>;
  readonly #binaries: string;
  #port = 0;
  #process: ChildProcess | null = null;

  constructor(options: ClusterOptions = {}) {
    this.#binaries = options.binaries ?? findBinaries();
    this.directory = mkdtempSync(
      join(options.parent ?? tmpdir(), "spool-postgres-"),
    );
    const user = serverUser();
    if (user !== null) {
      chmodSync(this.directory, 0o700);
      chownSync(this.directory, user.uid, user.gid);
    }
    const { settings = {} } = options;
    this.#settings =
      typeof settings === "function" ? settings(this.directory) : settings;
    this.#run("initdb", [
      ...["-D", this.#data, "-U", "spool", "--auth=trust"],
      ...["--encoding=UTF8", "--locale=C", "--no-sync"],
    ]);
  }

  get port(): number {
    return this.#port;
  }

  uri(database = "postgres"): string {
    return `postgres://spool@127.0.0.1:${this.#port}/${database}`;
  }

  get pid(): number {
    const pid = this.#process?.pid;
    if (pid === undefined) throw new Error("the cluster is not running");
    return pid;
  }

  /** Keeps its port over restarts. */
  async start(): Promise<void> {
    this.#port ||= await freePort();
    const settings = {
      listen_addresses: "127.0.0.1",
      port: String(this.#port),
      unix_socket_directories: "",
      max_connections: "300",
      ...this.#settings,
    };
    const child = spawn(
      join(this.#binaries, "postgres"),
      [
        ...["-D", this.#data],
        ...Object.entries(settings).flatMap(([name, value]) => [
          "-c",
          `${name}=${value}`,
        ]),
      ],
      {
        ...serverUser(),
        cwd: this.directory,
        stdio: ["ignore", "ignore", "pipe"],
      },
    );
    let said = "";
    child.stderr?.on("data", (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-4000);
    });
    this.#process = child;
    const ended = new AbortController();
    child.once("exit", (code) =>
      ended.abort(new Error(`Postgres ended with ${code}:\n${said}`)),
    );
    await waitFor("Postgres answers", () => letsIn(this.uri()), {
      timeoutMs: 30_000,
      signal: ended.signal,
    });
  }

  /** `immediate` is a crash: it recovers from its log at the next start. */
  async stop(how: "fast" | "immediate" = "fast"): Promise<void> {
    const child = this.#process;
    this.#process = null;
    if (child === null || child.exitCode !== null) return;
    const exited = once(child, "exit");
    child.kill(how === "fast" ? "SIGINT" : "SIGQUIT");
    await exited;
  }

  /** Stops it and removes its directory. */
  async remove(): Promise<void> {
    await this.stop("immediate");
    rmSync(this.directory, { recursive: true, force: true });
  }

  get #data(): string {
    return join(this.directory, "data");
  }

  #run(program: string, args: string[]): void {
    const { status, stderr } = spawnSync(join(this.#binaries, program), args, {
      ...serverUser(),
      cwd: this.directory,
    });
    if (status !== 0)
      throw new Error(`${program} failed:\n${stderr.toString()}`);
  }
}

/** Postgres and PgBouncer do not serve as root: then it is somebody who owns nothing. */
export function serverUser(): { uid: number; gid: number } | null {
  if (process.getuid?.() !== 0) return null;
  const users = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .map((line) => line.split(":"));
  const user =
    users.find(([name]) => name === "postgres") ??
    users.find(([name]) => name === "nobody");
  if (user === undefined)
    throw new Error("Postgres needs a user that is not root, such as nobody");
  return { uid: Number(user[2]), gid: Number(user[3]) };
}
