import { isDeepStrictEqual } from "node:util";
import type { Job } from "./followed-run.ts";

/** The log of a thread has each job as one block, from its beginning; of one that is done, the whole. */
export function checkJobs(thread_id: string, jobs: Job[], log: string[]): void {
  const blocks = new Map<string, string[]>();
  let last = "";
  for (const entry of log) {
    const [op = ""] = entry.split("/");
    if (op !== last && blocks.has(op))
      throw new Error(`thread ${thread_id} has ${op} in pieces: ${log.join()}`);
    blocks.set(op, [...(blocks.get(op) ?? []), entry]);
    last = op;
  }
  for (const { op, entries, isDone } of jobs) {
    const found = blocks.get(op) ?? [];
    const wanted = isDone ? entries : entries.slice(0, found.length);
    if (!isDeepStrictEqual(found, wanted))
      throw new Error(
        `thread ${thread_id} has ${JSON.stringify(found)} of ${JSON.stringify(entries)}${isDone ? ", which is done" : ""}`,
      );
  }
}
