import { readNotes } from "../support/diary.ts";

/**
 * By what its steps noted themselves, in one file per thread: once another run
 * or another attempt has begun, nothing of those before it goes on.
 */
export function checkTurns(thread_id: string, file: string): void {
  const earlier = new Set<string>();
  let turn = "";
  for (const [line, { run_id, pid }] of readNotes(file).entries()) {
    const noted = `run ${run_id} in process ${pid}`;
    if (noted === turn) continue;
    if (earlier.has(noted))
      throw new Error(
        `thread ${thread_id} had two runs at once: ${noted} goes on after ${turn}, line ${line + 1} of ${file}`,
      );
    earlier.add(noted);
    turn = noted;
  }
}
