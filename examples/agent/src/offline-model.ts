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
import { ChatGenerationChunk, type ChatResult } from "@langchain/core/outputs";

/** Between two tokens, so that streaming can be seen. */
const TOKEN_MS = 15;

/**
 * A chat model without a model: the same conversation always gets the same
 * answer, token by token. Asked about the weather it calls the tool
 * `get_weather`; everything else it repeats, and counts.
 */
export class OfflineModel extends BaseChatModel {
  constructor() {
    super({});
  }

  _llmType() {
    return "offline";
  }

  override bindTools(tools: BindToolsInput[]) {
    return this.withConfig({ tools } as Partial<this["ParsedCallOptions"]>);
  }

  async _generate(messages: BaseMessage[]): Promise<ChatResult> {
    const { text, city } = answer(messages);
    const message = new AIMessage({
      content: text,
      tool_calls: city === null ? [] : [weatherCall(messages, city)],
    });
    return { generations: [{ text, message }] };
  }

  override async *_streamResponseChunks(
    messages: BaseMessage[],
    options: this["ParsedCallOptions"],
    runManager?: CallbackManagerForLLMRun,
  ): AsyncGenerator<ChatGenerationChunk> {
    for (const chunk of chunksOf(messages)) {
      await delay(TOKEN_MS, undefined, { signal: options.signal });
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

/** What to say, and the city to ask the tool about, if any. */
function answer(messages: BaseMessage[]): {
  text: string;
  city: string | null;
} {
  const last = messages.at(-1);
  if (last?.type === "tool") {
    return { text: `The weather report says: ${last.text}.`, city: null };
  }
  const question = last?.text ?? "";
  const city = /\bweather\b.*?\b(?:in|of|for|at)\s+([\p{L} .'-]+)/iu.exec(
    question,
  )?.[1];
  if (city) return { text: "", city: city.trim() };
  const count = messages.filter(({ type }) => type === "human").length;
  return {
    text: `You said "${question}". That was message ${count} from you in this thread.`,
    city: null,
  };
}

const weatherCall = (messages: BaseMessage[], city: string) => ({
  id: `call_${messages.length}`,
  name: "get_weather",
  args: { city },
  type: "tool_call" as const,
});

function* chunksOf(messages: BaseMessage[]): Generator<ChatGenerationChunk> {
  const { text, city } = answer(messages);
  if (city !== null) {
    const { id, name, args } = weatherCall(messages, city);
    const call = { id, name, args: JSON.stringify(args), index: 0 };
    const message = new AIMessageChunk({
      content: "",
      tool_call_chunks: [{ ...call, type: "tool_call_chunk" }],
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
