/**
 * A chat agent: the model answers, or asks for a tool; the tool's result goes
 * back to the model. Send it `{ "messages": [{ "role": "user", "content": "…" }] }`.
 */
import {
  END,
  MessagesAnnotation,
  START,
  StateGraph,
} from "@langchain/langgraph";
import { ToolNode, toolsCondition } from "@langchain/langgraph/prebuilt";
import { sendEmail } from "./email.ts";
import { chooseModel } from "./model.ts";
import { getWeather } from "./weather.ts";

const tools = [getWeather, sendEmail];

async function callModel(state: typeof MessagesAnnotation.State) {
  const model = await chooseModel();
  const answer = await model.bindTools(tools).invoke(state.messages);
  return { messages: [answer] };
}

export const graph = new StateGraph(MessagesAnnotation)
  .addNode("agent", callModel)
  .addNode("tools", new ToolNode(tools))
  .addEdge(START, "agent")
  .addConditionalEdges("agent", toolsCondition, ["tools", END])
  .addEdge("tools", "agent")
  .compile();
