import { existsSync, readFileSync } from "node:fs";

/*
 * What the copies of a database need to know of SQLite's write-ahead log:
 * https://sqlite.org/walformat.html
 *
 * Commits are appended to the log as frames. From time to time a checkpoint
 * puts them into the database file, and the log begins again from its start,
 * with other salts.
 */

const WAL_HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;

/** Salts of the log: as long as they stay, nothing of it has been overwritten. Empty when there is no log. */
export function walGeneration(wal: string): string {
  if (!existsSync(wal)) return "";
  return readFileSync(wal).subarray(16, 24).toString("hex");
}

/**
 * Bytes of the log from `from`, where nothing is in the database file yet, to
 * `to`, the end of the last commit. Only of these a crash can take something:
 * the log is on the disk before a checkpoint begins. Null when there are none.
 */
export function unsettledBytes(
  wal: string,
  shm: string,
): { from: number; to: number } | null {
  if (!existsSync(wal) || !existsSync(shm)) return null;
  const index = readFileSync(shm);
  const log = readFileSync(wal);
  if (index.length < 136 || log.length < WAL_HEADER_BYTES) return null;
  const frameBytes = FRAME_HEADER_BYTES + log.readUInt32BE(8);
  // The index has the byte order of the machine; those that we test on are little-endian.
  const lastFrame = index.readUInt32LE(16);
  const checkpointed = index.readUInt32LE(128);
  if (checkpointed >= lastFrame) return null;
  return {
    from: WAL_HEADER_BYTES + checkpointed * frameBytes,
    to: Math.min(WAL_HEADER_BYTES + lastFrame * frameBytes, log.length),
  };
}
