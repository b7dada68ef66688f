import type { BaseChatModel } from "@langchain/core/language_models/chat_models";
import { OfflineModel } from "./offline-model.ts";

type ToolModel = BaseChatModel & Required<Pick<BaseChatModel, "bindTools">>;

/** The place for a real model: put, for instance, `new ChatOpenAI({ model: "gpt-4.1-mini" })` of `@langchain/openai` here. */
export const model: ToolModel = new OfflineModel();
