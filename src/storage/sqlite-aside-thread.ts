/*
 * The program of the thread that SqliteAside starts: it has a connection of
 * its own that only reads, and answers one question after the other.
 */
import { parentPort, workerData } from "node:worker_threads";
import { Connection } from "./sqlite-connection.ts";
import {
  defaultSqliteDriver,
  loadSqliteDriver,
  type SqliteDriver,
} from "./sqlite-driver.ts";
import { NearestFinder, type NearestVectors } from "./sqlite-nearest.ts";
import { loadVectorExtension } from "./sqlite-vectors.ts";

export interface AsideQuestion {
  id: number;
  question: { text: string; values: unknown[] } | "vectors" | "close";
}

export type AsideAnswer =
  | { id: number; rows: Record<string, unknown>[] }
  | { id: number; error: unknown };

const { path, driver: name } = workerData as {
  path: string;
  driver: SqliteDriver["name"];
};
const driver = loadSqliteDriver(name) ?? defaultSqliteDriver();
const opened = driver.open(path, { readOnly: true, allowExtension: true });
const connection = new Connection(opened);
// Vectors are read by the hundred megabytes, which are in the kernel's cache already.
connection.exec("pragma mmap_size = 8589934592");
const nearest = new NearestFinder(connection, {
  driver,
  path: `${path}-nearest`,
});

parentPort?.on("message", ({ id, question }: AsideQuestion) => {
  try {
    const rows = answer(question);
    parentPort?.postMessage({ id, rows } satisfies AsideAnswer);
  } catch (error) {
    parentPort?.postMessage({ id, error } satisfies AsideAnswer);
  }
});

function answer(
  question: AsideQuestion["question"],
): Record<string, unknown>[] {
  if (question === "vectors") loadVectorExtension(opened);
  else if (question === "close") close();
  else return connection.run(question.text, question.values.map(filledIn));
  return [];
}

function close(): void {
  nearest[Symbol.dispose]();
  connection.close();
}

/** A number, a text, bytes or null; or what is to be found first. */
function filledIn(value: unknown): unknown {
  return typeof value === "object" && value !== null && "scan" in value
    ? JSON.stringify(nearest.find(value as NearestVectors))
    : value;
}
