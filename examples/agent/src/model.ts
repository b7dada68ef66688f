import type { BaseChatModel } from "@langchain/core/language_models/chat_models";
import { OfflineModel } from "./offline-model.ts";

/** What this file needs of a chat model: that tools can be bound to it. */
type ToolModel = BaseChatModel & Required<Pick<BaseChatModel, "bindTools">>;

let chosen: Promise<ToolModel> | undefined;

/** The model of the first key found in the environment, else one that needs neither key nor network. */
export function chooseModel(): Promise<ToolModel> {
  chosen ??= createModel();
  return chosen;
}

async function createModel(): Promise<ToolModel> {
  if (process.env.OPENAI_API_KEY) {
    return load("@langchain/openai", "ChatOpenAI", {
      model: process.env.OPENAI_MODEL ?? "gpt-4.1-mini",
    });
  }
  if (process.env.ANTHROPIC_API_KEY) {
    return load("@langchain/anthropic", "ChatAnthropic", {
      model: process.env.ANTHROPIC_MODEL ?? "claude-sonnet-4-5",
    });
  }
  const tokenMs = process.env.OFFLINE_TOKEN_MS;
  return new OfflineModel(
    tokenMs === undefined ? {} : { tokenMs: Number(tokenMs) },
  );
}

/** Imported only when its key is there, so that the example runs without either package. */
async function load(
  packageName: string,
  className: string,
  options: { model: string },
): Promise<ToolModel> {
  const module = await import(packageName).catch((cause: unknown) => {
    throw new Error(
      `An API key for ${className} is set, but ${packageName} is not installed. Run "npm install ${packageName}", or unset the key to use the offline model.`,
      { cause },
    );
  });
  return new module[className](options);
}
