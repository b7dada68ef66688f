import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Place } from "./server.ts";

const PROGRAM = fileURLToPath(
  new URL("../../dist/cli/index.js", import.meta.url),
);

export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** A command of the built program that ends by itself, such as `spool export`, on the data of a server. */
export class Program {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;

  constructor(args: readonly string[], { config, dataDir, env }: Place) {
    const child = spawn(
      process.execPath,
      [...[PROGRAM, ...args], "--config", config, "--data-dir", dataDir],
      {
        cwd: join(PROGRAM, "../../.."),
        env: { PATH: process.env["PATH"], ...env },
        stdio: ["ignore", "pipe", "pipe"],
      },
    );
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (chunk) => (stdout += chunk));
    child.stderr.on("data", (chunk) => (stderr += chunk));
    this.child = child;
    this.ended = once(child, "close").then(([code]) => ({
      ...{ code: code as number | null, stdout, stderr },
    }));
  }
}

/** `spool export` or `spool import` on the data of a server. */
export const moveData = (
  command: "export" | "import",
  args: readonly string[],
  place: Place,
): Promise<Ended> => new Program([command, ...args], place).ended;
