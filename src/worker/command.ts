import { Command, Send } from "@langchain/langgraph";
import { isObject, type Json, type JsonObject } from "../lib/json.ts";

/** The `command` of a request as LangGraph's. Null members mean the same as absent ones. */
export function toCommand({ update, resume, goto }: JsonObject): Command {
  return new Command({
    ...(update === undefined || update === null
      ? {}
      : { update: update as Record<string, unknown> }), // a list of pairs is fine too
    ...(resume === undefined || resume === null ? {} : { resume }),
    ...(goto === undefined || goto === null
      ? {}
      : { goto: destinations(goto) }),
  });
}

function destinations(goto: Json): (string | Send)[] {
  return (Array.isArray(goto) ? goto : [goto]).map((destination) => {
    if (typeof destination === "string") return destination;
    if (isObject(destination) && typeof destination.node === "string")
      return new Send(destination.node, destination.input ?? null);
    throw new TypeError(
      `command.goto: expected a node name or {node, input}, got ${JSON.stringify(destination)}`,
    );
  });
}
