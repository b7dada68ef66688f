import { existsSync, readFileSync } from "node:fs";

export interface Note {
  step: number | string;
  pid: number;
  /** Milliseconds since 1970. */
  at: number;
  /** Where the graph knows it. */
  run_id?: string;
}

/** What a graph of test/fixtures/crash-graphs noted while it ran. */
export function readNotes(file: string): Note[] {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, "utf8").split("\n").filter(Boolean);
  return lines.map((line) => JSON.parse(line) as Note);
}

/**
 * Steps of a `counted` run that started again although a later one had started,
 * which with `durability: "sync"` means: although they were stored.
 */
export function repeatedAfterStored(notes: Note[]): number[] {
  const steps = notes.map(({ step }) => Number(step));
  return steps.filter((step, n) => Math.max(0, ...steps.slice(0, n)) > step);
}
