/** What the page needs of a message: instances of LangChain's classes have it, and so has the JSON of the server. */
export interface ChatMessage {
  id?: string | undefined;
  type: string;
  content: unknown;
  tool_calls?: ToolCall[] | undefined;
  tool_call_id?: string;
}

/** The state of the graph, as far as the page knows it. */
export interface ChatState extends Record<string, unknown> {
  messages: ChatMessage[];
}

export interface ToolCall {
  id?: string | undefined;
  name: string;
  args: Record<string, unknown>;
}

export function textOf({ content }: ChatMessage): string {
  if (typeof content === "string") return content;
  const blocks = content as { type: string; text?: string }[];
  return blocks
    .map(({ type, text = "" }) => (type === "text" ? text : ""))
    .join("");
}
