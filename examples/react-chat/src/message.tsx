import { useState } from "react";
import { textOf, type ChatMessage } from "./chat-message.ts";
import { ToolCallCard } from "./tool-call.tsx";
import type { Conversation } from "./use-conversation.ts";

interface Props {
  message: ChatMessage;
  index: number;
  conversation: Conversation;
}

export function Message(props: Props) {
  const { message, index, conversation } = props;
  const [draft, setDraft] = useState<string | null>(null);
  const text = textOf(message);
  const canEdit = message.type === "human" && !conversation.stream.isLoading;

  if (draft !== null)
    return (
      <li data-type={message.type}>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            setDraft(null);
            conversation.edit(index, draft);
          }}
        >
          <input
            aria-label="Edited message"
            autoFocus
            value={draft}
            onChange={(event) => setDraft(event.target.value)}
          />
          <button type="button" onClick={() => setDraft(null)}>
            Cancel
          </button>
          <button className="primary">Save</button>
        </form>
      </li>
    );
  return (
    <li data-type={message.type}>
      {text !== "" && <p>{text}</p>}
      {!!message.tool_calls?.length && (
        <div className="calls">
          {message.tool_calls.map((call) => (
            <ToolCallCard key={call.id} {...{ call, conversation }} />
          ))}
        </div>
      )}
      {message.type === "human" && (
        <footer>
          <VersionSwitch {...props} />
          {canEdit && <button onClick={() => setDraft(text)}>Edit</button>}
        </footer>
      )}
    </li>
  );
}

/** Which of several versions of a message is shown, and the way to the others. */
function VersionSwitch({ index, conversation }: Props) {
  const { shown, newest } = conversation.branchesAt(index);
  if (newest.length < 2) return null;
  const button = (name: string, sign: string, to: number) => (
    <button
      aria-label={name}
      disabled={newest[to] === undefined || conversation.stream.isLoading}
      onClick={() => conversation.goTo(newest[to]!)}
    >
      {sign}
    </button>
  );
  return (
    <nav aria-label="Versions">
      {button("Previous version", "‹", shown - 1)}
      <span>
        {shown + 1} of {newest.length}
      </span>
      {button("Next version", "›", shown + 1)}
    </nav>
  );
}
