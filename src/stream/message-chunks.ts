import { isObject } from "../lib/json.ts";
import { isForProtocolOnly, type RunEvent } from "../model/run-event.ts";

/*
 * A run that the streaming protocol has started tells its messages in events
 * of content blocks, once. A client of the run streams gets them as it knows
 * them: mode `messages-tuple`, a chunk of a message with where it comes from.
 */

interface BlockEvent {
  event: string;
  id?: string;
  role?: string;
  run_id?: string;
  index?: number;
  content?: Record<string, unknown>;
  delta?: Record<string, unknown>;
  usage?: object;
  tool_call_id?: string;
}

const TYPES: Readonly<Record<string, string>> = {
  human: "HumanMessageChunk",
  system: "SystemMessageChunk",
  tool: "ToolMessageChunk",
};

export class MessageChunks {
  /** Ids and types of the messages that go on, by the call of the model, or by namespace. */
  readonly #messages = new Map<string, { id: string; type: string }>();
  /** How much of the arguments of a tool call was told: some models tell all of them each time. */
  readonly #told = new Map<string, number>();

  /** The event as a client of the run streams has it; null for one that it does not have. */
  of(event: RunEvent): RunEvent | null {
    if (!isForProtocolOnly(event.event)) return event;
    const [name, ...namespace] = event.event.split("|");
    if (name !== "v2.messages") return null;
    const { node, data } = JSON.parse(event.data) as {
      node?: string;
      data: BlockEvent;
    };
    const key = data.run_id ?? namespace.join("|");
    const chunk = this.#chunkOf(data, key);
    if (chunk === null) return null;
    const origin = {
      langgraph_node: node,
      langgraph_checkpoint_ns: namespace.join("|"),
      run_id: event.run_id,
    };
    return {
      ...event,
      event: ["messages", ...namespace].join("|"),
      data: JSON.stringify([chunk, origin]),
    };
  }

  #chunkOf(event: BlockEvent, key: string): object | null {
    if (event.event === "message-start") this.#start(event, key);
    const message = this.#messages.get(key) ?? {
      id: `run-${key}`,
      type: "AIMessageChunk",
    };
    const told = this.#toldBy(event, key);
    if (event.event === "message-finish") this.#messages.delete(key);
    if (told === null) return null;
    return {
      content: "",
      additional_kwargs: {},
      response_metadata: {},
      ...message,
      ...told,
    };
  }

  #start({ id, role }: BlockEvent, key: string): void {
    const type = TYPES[role ?? "ai"] ?? "AIMessageChunk";
    this.#messages.set(key, { id: id ?? `run-${key}`, type });
  }

  /** What this event adds to its message. */
  #toldBy(event: BlockEvent, key: string): object | null {
    const { index = 0, content, delta, usage } = event;
    switch (event.event) {
      case "content-block-start":
        return this.#startOf(content, key, index);
      case "content-block-delta":
        return this.#deltaOf(delta, key, index);
      case "message-finish":
        return usage === undefined ? null : { usage_metadata: usage };
      default:
        return null;
    }
  }

  #startOf(
    block: Record<string, unknown> | undefined,
    key: string,
    index: number,
  ): object | null {
    switch (block?.["type"]) {
      case "tool_call_chunk": {
        const { id, name } = block;
        const args = typeof block["args"] === "string" ? block["args"] : "";
        this.#told.set(`${key}/${index}`, args.length);
        return toolCall({ id, name, args, index });
      }
      case "text":
        return block["text"] ? { content: block["text"] } : null;
      case "reasoning":
      case undefined:
        return null;
      default:
        return { content: [{ ...block, index }] };
    }
  }

  #deltaOf(
    delta: Record<string, unknown> | undefined,
    key: string,
    index: number,
  ): object | null {
    switch (delta?.["type"]) {
      case "text-delta":
        return { content: delta["text"] };
      case "reasoning-delta": {
        const { reasoning } = delta;
        return { content: [{ type: "reasoning", reasoning, index }] };
      }
      case "tool-call-delta":
        return toolCall({ args: delta["args"], index });
      case "block-delta": {
        const { fields } = delta;
        const args = isObject(fields) ? fields["args"] : null;
        if (typeof args !== "string") return null;
        const place = `${key}/${index}`;
        const more = args.slice(this.#told.get(place) ?? 0);
        this.#told.set(place, args.length);
        return more === "" ? null : toolCall({ args: more, index });
      }
      default:
        return null;
    }
  }
}

const toolCall = (chunk: object) => ({
  tool_call_chunks: [{ ...chunk, type: "tool_call_chunk" }],
});
