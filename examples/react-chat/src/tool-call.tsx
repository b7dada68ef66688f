import { useMessages, type SubagentDiscoverySnapshot } from "@langchain/react";
import { textOf, type ToolCall } from "./chat-message.ts";
import type { Conversation } from "./use-conversation.ts";

/** A call of a tool, and what came of it; for a subagent, what it says while it works. */
export function ToolCallCard({
  call,
  conversation,
}: {
  call: ToolCall;
  conversation: Conversation;
}) {
  const { stream, messages } = conversation;
  const subagent = stream.subagents.get(call.id ?? "");
  const result = messages.find(({ tool_call_id }) => tool_call_id === call.id);
  const output = result && textOf(result);
  const begun = stream.isLoading ? "running" : "waiting";
  const state = output === undefined ? begun : "done";
  if (call.name === "task")
    return (
      <section className="card" data-state={state} aria-label="Subagent">
        <h2>{String(call.args["subagent_type"] ?? "")}</h2>
        <small>{String(call.args["description"] ?? "")}</small>
        {subagent && output === undefined ? (
          <SubagentText {...{ subagent, stream }} />
        ) : (
          <p>{output}</p>
        )}
      </section>
    );
  return (
    <section className="card" data-state={state} aria-label="Tool">
      <h2>{call.name}</h2>
      <small>{Object.values(call.args).join(" · ")}</small>
      {output !== undefined && <p>{output}</p>}
    </section>
  );
}

/** A subscription of its own, as long as the card is there: only what this subagent says. */
function SubagentText({
  subagent,
  stream,
}: {
  subagent: SubagentDiscoverySnapshot;
  stream: Conversation["stream"];
}) {
  const said = useMessages(stream, subagent).filter(
    ({ type }) => type === "ai",
  );
  return <p>{said.map((message) => textOf(message)).join("\n")}</p>;
}
