import { setTimeout as delay } from "node:timers/promises";
import type { CallbackManagerForLLMRun } from "@langchain/core/callbacks/manager";
import {
  BaseChatModel,
  type BindToolsInput,
} from "@langchain/core/language_models/chat_models";
import {
  AIMessage,
  AIMessageChunk,
  type BaseMessage,
} from "@langchain/core/messages";
import type { ToolCall } from "@langchain/core/messages/tool";
import { ChatGenerationChunk, type ChatResult } from "@langchain/core/outputs";

/** Between two tokens, so that streaming can be seen. */
const TOKEN_MS = 15;

/**
 * A chat model without a model: the same conversation always gets the same
 * answer, token by token. Asked about the weather it calls the tool
 * `get_weather`, asked to send an email `send_email`; everything else it
 * repeats, and counts.
 */
export class OfflineModel extends BaseChatModel {
  readonly #tokenMs: number;

  constructor({ tokenMs = TOKEN_MS } = {}) {
    super({});
    this.#tokenMs = tokenMs;
  }

  _llmType() {
    return "offline";
  }

  override bindTools(tools: BindToolsInput[]) {
    return this.withConfig({ tools } as Partial<this["ParsedCallOptions"]>);
  }

  async _generate(messages: BaseMessage[]): Promise<ChatResult> {
    const { text, call } = answer(messages);
    const message = new AIMessage({
      content: text,
      tool_calls: call === null ? [] : [call],
    });
    return { generations: [{ text, message }] };
  }

  override async *_streamResponseChunks(
    messages: BaseMessage[],
    options: this["ParsedCallOptions"],
    runManager?: CallbackManagerForLLMRun,
  ): AsyncGenerator<ChatGenerationChunk> {
    for (const chunk of chunksOf(messages)) {
      await delay(this.#tokenMs, undefined, { signal: options.signal });
      yield chunk;
      await runManager?.handleLLMNewToken(
        chunk.text,
        undefined,
        undefined,
        undefined,
        undefined,
        { chunk },
      );
    }
  }
}

type IdentifiedCall = ToolCall & { id: string };

/** What to say, and the tool to call, if any. */
function answer(messages: BaseMessage[]): {
  text: string;
  call: IdentifiedCall | null;
} {
  const last = messages.at(-1);
  if (last?.type === "tool") {
    const source = last.name === "send_email" ? "mailbox" : "weather report";
    return { text: `The ${source} says: ${last.text}.`, call: null };
  }
  const question = last?.text ?? "";
  const call = callFor(question, `call_${messages.length}`);
  if (call !== null) return { text: "", call };
  const count = messages.filter(({ type }) => type === "human").length;
  return {
    text: `You said "${question}". That was message ${count} from you in this thread.`,
    call: null,
  };
}

const WEATHER = /\bweather\b.*?\b(?:in|of|for|at)\s+([\p{L} .'-]+)/iu;
const EMAIL = /\bsend an e-?mail to\s+([^\s:]+):\s*(.+)/isu;

function callFor(question: string, id: string): IdentifiedCall | null {
  const [, to, text] = EMAIL.exec(question) ?? [];
  if (to && text)
    return { id, name: "send_email", args: { to, text }, type: "tool_call" };
  const city = WEATHER.exec(question)?.[1]?.trim();
  if (city)
    return { id, name: "get_weather", args: { city }, type: "tool_call" };
  return null;
}

function* chunksOf(messages: BaseMessage[]): Generator<ChatGenerationChunk> {
  const { text, call } = answer(messages);
  if (call !== null) {
    const { id, name, args } = call;
    const message = new AIMessageChunk({
      content: "",
      tool_call_chunks: [
        {
          ...{ id, name, args: JSON.stringify(args), index: 0 },
          type: "tool_call_chunk",
        },
      ],
    });
    yield new ChatGenerationChunk({ text: "", message });
  }
  for (const token of text.match(/\S+\s*/g) ?? []) {
    yield new ChatGenerationChunk({
      text: token,
      message: new AIMessageChunk({ content: token }),
    });
  }
}
