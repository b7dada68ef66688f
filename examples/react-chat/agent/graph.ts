/**
 * The agent that the page talks to: the model answers, or calls tools. Each
 * call is a task of its own, so that several run at once, and one that waits
 * for a person does not hold up the others.
 */
import type { AIMessage } from "@langchain/core/messages";
import type { ToolCall } from "@langchain/core/messages/tool";
import type { StructuredToolInterface } from "@langchain/core/tools";
import {
  END,
  type LangGraphRunnableConfig,
  MessagesAnnotation,
  Send,
  START,
  StateGraph,
} from "@langchain/langgraph";
import { model } from "./model.ts";
import { task } from "./subagents.ts";
import { getWeather, sendEmail } from "./tools.ts";

const tools: StructuredToolInterface[] = [getWeather, sendEmail, task];

async function callModel({ messages }: typeof MessagesAnnotation.State) {
  return { messages: [await model.bindTools(tools).invoke(messages)] };
}

async function callTool(
  { call }: { call: ToolCall },
  config: LangGraphRunnableConfig,
) {
  const tool = tools.find(({ name }) => name === call.name);
  if (tool === undefined) throw new Error(`There is no tool ${call.name}`);
  return { messages: [await tool.invoke(call, config)] };
}

function afterModel({ messages }: typeof MessagesAnnotation.State) {
  const { tool_calls: calls = [] } = messages.at(-1) as AIMessage;
  if (calls.length === 0) return END;
  return calls.map(
    (call) => new Send("tools", { call: { ...call, type: "tool_call" } }),
  );
}

export const graph = new StateGraph(MessagesAnnotation)
  .addNode("agent", callModel)
  .addNode("tools", callTool)
  .addEdge(START, "agent")
  .addConditionalEdges("agent", afterModel, ["tools", END])
  .addEdge("tools", "agent")
  .compile();
