import type { RunError } from "../model/run.ts";

/** The class of an exception: its own `name`, else the name of its constructor. */
export function errorName(error: Error): string {
  const { name } = error;
  if (name !== "Error" && typeof name === "string" && name !== "") return name;
  return error.constructor?.name || "Error";
}

/** What user code threw, as clients are told. Anything can be thrown. */
export function runError(thrown: unknown): RunError {
  if (thrown instanceof Error)
    return { error: errorName(thrown), message: String(thrown.message) };
  if (typeof thrown === "object" && thrown !== null && "message" in thrown) {
    const { name, message } = thrown as { name?: unknown; message: unknown };
    return {
      error: typeof name === "string" && name !== "" ? name : "Error",
      message: String(message),
    };
  }
  return { error: "Error", message: String(thrown) };
}
