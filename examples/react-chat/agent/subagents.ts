/**
 * Helpers of the agent, each a graph of its own. A tool of the name `task` with
 * `subagent_type` and `description` is what `useStream` shows as a subagent.
 */
import { SystemMessage } from "@langchain/core/messages";
import { tool } from "@langchain/core/tools";
import { MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";
import { z } from "zod";
import { model } from "./model.ts";

const PROMPTS = {
  researcher: "You are a researcher. Say what is known about the matter.",
  critic: "You are a critic. Say what to doubt about the matter.",
};

const subagent = (prompt: string) =>
  new StateGraph(MessagesAnnotation)
    .addNode("model", async ({ messages }) => ({
      messages: [await model.invoke([new SystemMessage(prompt), ...messages])],
    }))
    .addEdge(START, "model")
    .compile();

const subagents = {
  researcher: subagent(PROMPTS.researcher),
  critic: subagent(PROMPTS.critic),
};

export const task = tool(
  async ({ subagent_type, description }, config) => {
    const { messages } = await subagents[subagent_type].invoke(
      { messages: [{ role: "user", content: description }] },
      config,
    );
    return messages.at(-1)?.text ?? "";
  },
  {
    name: "task",
    description: "Has a helper do a part of the work, and tells what it found.",
    schema: z.object({
      subagent_type: z.enum(["researcher", "critic"]),
      description: z.string().describe("What the helper is to do"),
    }),
  },
);
