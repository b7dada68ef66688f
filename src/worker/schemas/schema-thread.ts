import { parentPort } from "node:worker_threads";
import type TS from "typescript";
import { extractSchemas, type ExtractParams } from "./extract-schemas.ts";
import type { ThreadAnswer } from "./schema-compiler.ts";

/*
 * The thread on which the compiler works: it takes all of a CPU for seconds,
 * during which the runs of this process must go on, and only a thread of its
 * own can be stopped in the middle of it.
 */

const parsedFiles = new Map<string, TS.SourceFile>();

function answer(params: ExtractParams): ThreadAnswer {
  try {
    return { extraction: extractSchemas(params, parsedFiles) };
  } catch (cause) {
    return { failure: cause instanceof Error ? cause : String(cause) };
  }
}

parentPort?.on("message", (params: ExtractParams) =>
  parentPort?.postMessage(answer(params)),
);
