import { isObject } from "../lib/json.ts";
import type { StreamChunk } from "./stream-chunk.ts";

/** An event of the protocol's channel `messages`, and where it belongs. */
export interface BlockEvent {
  namespace: string[];
  node: string | undefined;
  data: { event: string } & Record<string, unknown>;
}

/** What we use of LangChain's messages, whichever copy of it they come from. */
interface Message {
  id?: string;
  content?: unknown;
  tool_calls?: ToolCall[];
  tool_call_chunks?: ToolCallChunk[];
  usage_metadata?: object;
  chunk_position?: unknown;
  getType?(): string;
  concat?: unknown;
}

interface ToolCall {
  id?: string;
  name?: string;
  args?: unknown;
}

interface ToolCallChunk {
  id?: string;
  name?: string;
  args?: string;
  index?: number;
}

interface Origin {
  langgraph_node?: string;
  langgraph_checkpoint_ns?: string;
  tags?: string[];
}

interface Block {
  index: number;
  /** As it is at the end; of a tool call `args` is text until then. */
  content: Record<string, unknown>;
}

interface OpenMessage extends Omit<BlockEvent, "data"> {
  run_id: string;
  /** By kind and the model's own number: those of texts and of tool calls are not of one row. */
  blocks: Map<string, Block>;
  usage: object | undefined;
}

/** Parts of a content that providers repeat in `tool_call_chunks`. */
const OF_TOOL_CALLS = new Set(["tool_use", "input_json_delta", "tool_call"]);

/**
 * Content blocks of the messages of a run that was not started by the streaming
 * protocol: LangGraph streams chunks of messages then, and only one of the two.
 * A message ends with the task that writes it, unless the model says so before.
 */
export class MessageBlocks {
  readonly #open = new Map<string, OpenMessage>();

  *of(chunk: StreamChunk): Generator<BlockEvent> {
    if (chunk.mode === "messages")
      yield* this.#message(chunk.payload as [Message, Origin]);
    else yield* this.#close(endOf(chunk));
  }

  /** Of what has not ended when the graph has. */
  ofEnd(): Generator<BlockEvent> {
    return this.#close(() => true);
  }

  *#message([message, origin]: [Message, Origin]): Generator<BlockEvent> {
    const role = message.getType?.() ?? "ai";
    const { id, usage_metadata } = message;
    const isHidden = origin?.tags?.includes("langsmith:hidden") === true;
    // What a tool has given is told in a channel of its own.
    if (id === undefined || role === "tool" || isHidden) return;
    let open = this.#open.get(id);
    if (open === undefined) {
      open = opened(id, origin);
      this.#open.set(id, open);
      yield told(open, { event: "message-start", id, role });
    }
    if (usage_metadata !== undefined)
      open.usage = sumOf(open.usage, usage_metadata);
    for (const part of partsOf(message)) yield* add(open, part);
    const isWhole =
      message.concat === undefined || message.chunk_position === "last";
    if (isWhole) yield* this.#close((other) => other === open);
  }

  *#close(isMeant: (open: OpenMessage) => boolean): Generator<BlockEvent> {
    for (const [id, open] of this.#open) {
      if (!isMeant(open)) continue;
      this.#open.delete(id);
      for (const { index, content } of open.blocks.values())
        yield told(open, {
          ...{ event: "content-block-finish", index },
          content: finished(content),
        });
      const { usage } = open;
      yield told(open, { event: "message-finish", ...(usage && { usage }) });
    }
  }
}

function opened(id: string, origin: Origin | undefined): OpenMessage {
  const place = origin?.langgraph_checkpoint_ns ?? "";
  return {
    namespace: place === "" ? [] : place.split("|"),
    node: origin?.langgraph_node,
    run_id: id.replace(/^run-/, ""),
    blocks: new Map(),
    usage: undefined,
  };
}

const told = (
  { namespace, node, run_id }: OpenMessage,
  data: BlockEvent["data"],
): BlockEvent => ({ namespace, node, data: { ...data, run_id } });

/** Which messages are over when this has come: those of a task, or of all that ran in a step. */
function endOf({
  namespace,
  mode,
  payload,
}: StreamChunk): (open: OpenMessage) => boolean {
  const isWithin = (open: OpenMessage) =>
    open.namespace.length > namespace.length &&
    namespace.every((segment, index) => segment === open.namespace[index]);
  if (mode === "values") return isWithin;
  if (!isObject(payload)) return () => false;
  const segmentOf = (open: OpenMessage) =>
    open.namespace[namespace.length] ?? "";
  if (mode === "updates")
    return (open) =>
      isWithin(open) && (segmentOf(open).split(":", 1)[0] ?? "") in payload;
  if (mode === "tasks" && "result" in payload) {
    const ran = `${String(payload["name"])}:${String(payload["id"])}`;
    return (open) => isWithin(open) && segmentOf(open) === ran;
  }
  return () => false;
}

interface Part {
  key: string;
  /** The block before anything is in it. */
  start: Record<string, unknown>;
  /** The member of it that grows, and by how much; null for one that comes whole. */
  grows: { member: string; by: string } | null;
  /** How that is told. */
  delta: Record<string, unknown> | null;
}

function partsOf(message: Message): Part[] {
  const { content, tool_call_chunks, tool_calls } = message;
  const given = Array.isArray(content) ? (content as unknown[]) : [content];
  const parts = given.flatMap((part, index) => contentPart(part, index));
  const calls =
    tool_call_chunks ??
    tool_calls?.map((call, index) => wholeCall(call, index)) ??
    [];
  return [...parts, ...calls.map(callPart)];
}

function contentPart(part: unknown, place: number): Part[] {
  if (typeof part === "string") return part === "" ? [] : [textPart(part, 0)];
  if (!isObject(part)) return [];
  const type = String(part["type"]);
  const index = typeof part["index"] === "number" ? part["index"] : place;
  if (OF_TOOL_CALLS.has(type)) return [];
  if (type === "text") return [textPart(String(part["text"] ?? ""), index)];
  if (type === "reasoning" || type === "thinking")
    return [reasoningPart(String(part[type] ?? ""), index)];
  const { index: _, ...start } = part as Record<string, unknown>;
  const delta = { type: "block-delta", fields: start };
  return [{ key: `${type}:${index}`, start, grows: null, delta }];
}

const textPart = (text: string, index: number): Part => ({
  key: `text:${index}`,
  start: { type: "text", text: "" },
  grows: { member: "text", by: text },
  delta: { type: "text-delta", text },
});

const reasoningPart = (reasoning: string, index: number): Part => ({
  key: `reasoning:${index}`,
  start: { type: "reasoning", reasoning: "" },
  grows: { member: "reasoning", by: reasoning },
  delta: { type: "reasoning-delta", reasoning },
});

const callPart = (
  { id, name, args = "", index = 0 }: ToolCallChunk,
  place: number,
): Part => ({
  key: `call:${index ?? place}`,
  start: { type: "tool_call_chunk", id, name, args: "" },
  grows: { member: "args", by: args ?? "" },
  delta: { type: "tool-call-delta", args },
});

const wholeCall = ({ id, name, args }: ToolCall, index: number) => ({
  ...(id === undefined ? {} : { id }),
  ...(name === undefined ? {} : { name }),
  ...{ args: JSON.stringify(args ?? {}), index },
});

function* add(open: OpenMessage, part: Part): Generator<BlockEvent> {
  const { key, start, grows, delta } = part;
  let block = open.blocks.get(key);
  const isNew = block === undefined;
  block ??= { index: open.blocks.size, content: { ...start } };
  const { index, content } = block;
  if (isNew) {
    open.blocks.set(key, block);
    yield told(open, { event: "content-block-start", index, content: start });
  }
  if (grows === null) {
    if (isNew) return;
    Object.assign(content, start);
  } else {
    if (grows.by === "") return;
    content[grows.member] = String(content[grows.member]) + grows.by;
  }
  yield told(open, { event: "content-block-delta", index, delta });
}

/** A tool call whose arguments have come whole. */
function finished(content: Record<string, unknown>): Record<string, unknown> {
  if (content["type"] !== "tool_call_chunk") return content;
  const { id, name, args } = content;
  try {
    const parsed: unknown = JSON.parse(args === "" ? "{}" : String(args));
    return { type: "tool_call", id, name, args: parsed };
  } catch {
    const error = "the arguments are no JSON";
    return { type: "invalid_tool_call", id, name, args, error };
  }
}

/** Some models tell what each chunk has taken, others all of it at the end. */
function sumOf(before: object | undefined, more: object): object {
  if (before === undefined) return more;
  const sum: Record<string, unknown> = { ...before };
  for (const [key, value] of Object.entries(more)) {
    const { [key]: known } = sum;
    sum[key] =
      typeof value === "number" && typeof known === "number"
        ? known + value
        : value;
  }
  return sum;
}
