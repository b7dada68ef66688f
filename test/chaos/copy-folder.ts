import { randomFillSync } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  closeSync,
  truncateSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import type { Random } from "../support/random.ts";
import { isStopped } from "../support/processes.ts";
import type { TestServer } from "../support/server.ts";
import { waitFor } from "../support/wait.ts";
import { DATABASE } from "./data-folder.ts";
import { unsettledBytes, walGeneration } from "./wal.ts";

const WAL = `${DATABASE}-wal`;
const SHM = `${DATABASE}-shm`;

/**
 * How a copy of the folder of a running server comes to be:
 *
 * - `moment`: all files as they are at one moment, wherever the server is in its work.
 * - `live`: one file after the other, while the server writes. No commit may
 *   be in neither: the database goes first, and the log must not have begun
 *   again in between. Where it has, the copy is made again.
 * - `cut`, `torn`: as `moment`, and the end of the log, which may not be on the
 *   disk yet, is lost or is rubbish.
 */
export type CopyKind = "moment" | "live" | "cut" | "torn";

export async function copyFolder(
  server: TestServer,
  to: string,
  params: { kind: CopyKind; random: Random },
): Promise<void> {
  if (params.kind === "live") return copyLive(server.dataDir, to);
  await whileStopped(server.pid, () => copyFiles(server.dataDir, to));
  if (params.kind !== "moment") damageLog(to, params.kind, params.random);
}

const MAX_TRIES = 20;

function copyLive(from: string, to: string): void {
  for (let tries = 0; tries < MAX_TRIES; tries += 1) {
    const generation = walGeneration(join(from, WAL));
    copyFiles(from, to);
    if (walGeneration(join(to, WAL)) === generation) return;
  }
  throw new Error("the log begins again during every copy");
}

/** The log after the database. */
function copyFiles(from: string, to: string): void {
  mkdirSync(to, { recursive: true });
  for (const name of [DATABASE, WAL, SHM])
    if (existsSync(join(from, name)))
      copyFileSync(join(from, name), join(to, name));
}

async function whileStopped(pid: number, work: () => void): Promise<void> {
  process.kill(pid, "SIGSTOP");
  try {
    await waitFor("the server stands still", () => isStopped(pid));
    work();
  } finally {
    process.kill(pid, "SIGCONT");
  }
}

function damageLog(folder: string, kind: "cut" | "torn", random: Random): void {
  const wal = join(folder, WAL);
  const bytes = unsettledBytes(wal, join(folder, SHM));
  if (bytes === null) return;
  const at = random.between(bytes.from, bytes.to);
  if (kind === "cut") return truncateSync(wal, at);
  const file = openSync(wal, "r+");
  const rubbish = randomFillSync(Buffer.alloc(bytes.to - at));
  writeSync(file, rubbish, 0, rubbish.length, at);
  closeSync(file);
}
