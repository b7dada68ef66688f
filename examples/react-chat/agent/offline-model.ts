import { randomUUID } from "node:crypto";
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
const TOKEN_MS = Number(process.env.OFFLINE_TOKEN_MS ?? 30);

interface Call {
  name: string;
  args: Record<string, string>;
}

/**
 * A chat model without a model, so that the example runs without a key: the
 * same conversation always gets the same answer, token by token. It knows three
 * requests (`CALLS`); everything else it repeats, and counts.
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
    const { text, calls } = answer(messages);
    const message = new AIMessage({ content: text, tool_calls: calls });
    return { generations: [{ text, message }] };
  }

  override async *_streamResponseChunks(
    messages: BaseMessage[],
    { signal }: this["ParsedCallOptions"],
    runManager?: CallbackManagerForLLMRun,
  ): AsyncGenerator<ChatGenerationChunk> {
    for (const message of chunksOf(messages)) {
      await delay(TOKEN_MS, undefined, { signal });
      const chunk = new ChatGenerationChunk({ text: message.text, message });
      yield chunk;
      const none = undefined;
      await runManager?.handleLLMNewToken(
        ...([message.text, none, none, none, none, { chunk }] as const),
      );
    }
  }
}

const CALLS: readonly [RegExp, (...found: string[]) => Call[]][] = [
  [
    /\bweather\b.*?\b(?:in|of|for|at)\s+([\p{L} .'-]+)/iu,
    (city = "") => [{ name: "get_weather", args: { city: city.trim() } }],
  ],
  [
    /\bsend an e-?mail to\s+([^\s:]+):\s*(.+)/isu,
    (to = "", text = "") => [{ name: "send_email", args: { to, text } }],
  ],
  [
    /\bresearch\s+(.+?)[.?!]*$/iu,
    (topic = "") =>
      ["researcher", "critic"].map((subagent_type) => ({
        name: "task",
        args: { subagent_type, description: `Look into ${topic}` },
      })),
  ],
];

/** What to say, and the tools to call. */
function answer(messages: BaseMessage[]) {
  const last = messages.at(-1);
  const question = last?.text ?? "";
  const role = messages[0]?.type === "system" ? messages[0].text : "";
  if (role !== "") return { text: helperText(role, question), calls: [] };
  if (last?.type === "tool") return { text: summary(messages), calls: [] };
  for (const [pattern, make] of CALLS) {
    const [found, ...parts] = pattern.exec(question) ?? [];
    if (found === undefined) continue;
    const calls = make(...parts).map((call) => ({
      ...call,
      id: `call_${randomUUID()}`,
      type: "tool_call" as const,
    }));
    return { text: "", calls };
  }
  const count = messages.filter(({ type }) => type === "human").length;
  const text = `You said "${question}". That was message ${count} from you in this thread.`;
  return { text, calls: [] };
}

function helperText(role: string, task: string): string {
  const topic = task.replace(/^Look into /, "");
  return role.includes("critic")
    ? `Two doubts about ${topic}: who has measured it, and what was left out?`
    : `Three things about ${topic}: it has a history, it has a price, and people disagree about it. A real model would name its sources.`;
}

const TELLERS: Record<string, string> = {
  get_weather: "The weather report says",
  send_email: "The mailbox says",
  task: "A helper says",
};

/** What the tools that were called last have said. */
function summary(messages: BaseMessage[]): string {
  const called = messages.findLastIndex(({ type }) => type === "ai");
  const said = messages
    .slice(called + 1)
    .map(({ name = "", text }) => `${TELLERS[name] ?? name}: ${text}`);
  return said.join("\n\n");
}

function* chunksOf(messages: BaseMessage[]): Generator<AIMessageChunk> {
  const { text, calls } = answer(messages);
  for (const [index, { id, name, args }] of calls.entries())
    yield new AIMessageChunk({
      content: "",
      tool_call_chunks: [
        {
          ...{ id, name, args: JSON.stringify(args), index },
          type: "tool_call_chunk",
        },
      ],
    });
  for (const token of text.match(/\S+\s*/g) ?? [])
    yield new AIMessageChunk({ content: token });
}
