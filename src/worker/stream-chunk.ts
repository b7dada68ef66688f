/** The names that LangGraph has for its modes. */
export type LibraryMode =
  | "values"
  | "updates"
  | "messages"
  | "custom"
  | "debug"
  | "tasks"
  | "checkpoints"
  | "tools";

/** One element of LangGraph's stream. The namespace is empty for the root graph. */
export interface StreamChunk {
  namespace: string[];
  mode: LibraryMode;
  payload: unknown;
}
