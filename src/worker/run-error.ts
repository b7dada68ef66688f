import type { RunError } from "../model/run.ts";
import { errorName } from "./error-name.ts";
import { cleanText, wireText } from "./wire-json.ts";

/** What user code threw, as clients are told. Anything can be thrown, and any text be in it. */
export function runError(thrown: unknown): RunError {
  const { error, message } = described(thrown);
  return { error: cleanText(error), message: cleanText(message) };
}

function described(thrown: unknown): RunError {
  if (thrown instanceof Error)
    return { error: errorName(thrown), message: String(thrown.message) };
  if (typeof thrown === "object" && thrown !== null && "message" in thrown) {
    const { name, message } = thrown as { name?: unknown; message: unknown };
    return {
      error: typeof name === "string" && name !== "" ? name : "Error",
      message: String(message),
    };
  }
  return { error: "Error", message: textOf(thrown) };
}

/** LangGraph adds to a thrown object the task that threw it. */
function textOf(thrown: unknown): string {
  if (typeof thrown !== "object" || thrown === null) return String(thrown);
  const { pregelTaskId: _, ...rest } = thrown as { pregelTaskId?: string };
  return wireText(rest);
}
