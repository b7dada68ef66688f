import { isObject } from "../lib/json.ts";
import type { StreamChunk } from "./stream-chunk.ts";

/** What we use of LangChain's messages, whichever copy of it they come from. */
interface Message {
  id?: string;
  concat?(other: Message): Message;
}

/** What LangGraph tells about where a message comes from. */
interface Origin {
  name?: string;
  langgraph_node?: string;
  ls_model_type?: string;
  tags?: string[];
}

/**
 * Mode `messages`: `messages/metadata` once for each message that a model
 * writes, `messages/partial` with all of it so far after each token, and
 * `messages/complete` when messages are in the state.
 */
export class MessageFrames {
  readonly #partial = new Map<string, Message>();
  readonly #complete = new Set<string>();

  *of({
    mode,
    payload,
  }: StreamChunk): Generator<[event: string, data: unknown]> {
    if (mode === "messages") yield* this.#token(payload as [Message, Origin]);
    if (mode === "values") yield* this.#state(payload);
  }

  *#token([chunk, metadata]: [Message, Origin]): Generator<[string, unknown]> {
    if (!isToken(metadata) || typeof chunk.concat !== "function") return;
    if (chunk.id === undefined) return;
    const before = this.#partial.get(chunk.id);
    if (before === undefined)
      yield ["messages/metadata", { [chunk.id]: { metadata } }];
    const message = before?.concat?.(chunk) ?? chunk;
    this.#partial.set(chunk.id, message);
    yield ["messages/partial", [message]];
  }

  *#state(values: unknown): Generator<[string, unknown]> {
    if (!isObject(values) || values["messages"] === undefined) return;
    const { messages } = values;
    const appeared = (Array.isArray(messages) ? messages : [messages]).filter(
      (message: Message | null) => this.#isNew(message?.id),
    );
    if (appeared.length > 0) yield ["messages/complete", appeared];
  }

  #isNew(id: unknown): boolean {
    if (typeof id !== "string" || this.#complete.has(id)) return false;
    this.#complete.add(id);
    return true;
  }
}

/**
 * Whether a model writes the message now. The others are what nodes return,
 * and the state tells of them; among them is the whole message of a model
 * that is tagged `nostream`.
 */
function isToken({ tags, ls_model_type, ...origin }: Origin): boolean {
  if (tags?.includes("langsmith:hidden") === true) return false;
  return ls_model_type !== undefined || origin.name !== origin.langgraph_node;
}
