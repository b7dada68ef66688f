import type { JsonObject } from "../../lib/json.ts";

/** The name under which a schema's `definitions` hold the message. */
export const MESSAGE_DEFINITION = "BaseMessage";

/**
 * A chat message as clients send and receive it. Written by hand: the classes
 * of LangChain describe a program, expanded they are hundreds of lines that
 * no form or model can use.
 */
export const MESSAGE_SCHEMA: JsonObject = {
  type: "object",
  title: MESSAGE_DEFINITION,
  properties: {
    type: { type: "string", description: "human, ai, system, tool, …" },
    role: { type: "string", description: "instead of type, in what is sent" },
    content: {
      anyOf: [{ type: "string" }, { type: "array", items: { type: "object" } }],
    },
    id: { type: "string" },
    name: { type: "string" },
    tool_calls: { type: "array", items: { type: "object" } },
    tool_call_id: { type: "string" },
    additional_kwargs: { type: "object" },
    response_metadata: { type: "object" },
  },
  required: ["content"],
};

export const MESSAGE_REF: JsonObject = {
  $ref: `#/definitions/${MESSAGE_DEFINITION}`,
};

/** What marks a channel as the conversation, for Studio and chat clients. */
export const MESSAGES_SCHEMA: JsonObject = {
  type: "array",
  items: MESSAGE_REF,
  langgraph_type: "messages",
};
