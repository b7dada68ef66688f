/**
 * A chat agent that thinks for some seconds before it answers, so that a
 * second message may come in the meantime. What has not been answered yet, it
 * answers all at once.
 *
 * Input: `{ "messages": [{ "role": "user", "content": "Book a table for two" }] }`
 */
import { setTimeout as delay } from "node:timers/promises";
import {
  END,
  MessagesAnnotation,
  START,
  StateGraph,
  type LangGraphRunnableConfig,
} from "@langchain/langgraph";

const THINKING_MS = 3000;

type Chat = typeof MessagesAnnotation.State;

/** Passing the signal on is what lets the next message stop it at once. */
async function think(_chat: Chat, { signal }: LangGraphRunnableConfig) {
  await delay(THINKING_MS, undefined, { signal });
  return {};
}

function answer({ messages }: Chat) {
  const answered = messages.findLastIndex(({ type }) => type === "ai");
  const asked = messages.slice(answered + 1).map(({ text }) => text);
  return {
    messages: [{ role: "assistant", content: `Done: ${asked.join("; ")}.` }],
  };
}

export const graph = new StateGraph(MessagesAnnotation)
  .addNode("think", think)
  .addNode("answer", answer)
  .addEdge(START, "think")
  .addEdge("think", "answer")
  .addEdge("answer", END)
  .compile();
