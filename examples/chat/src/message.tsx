import type { Message } from "@langchain/langgraph-sdk";
import { useState } from "react";

export function ChatMessage(props: {
  message: Message;
  branch: string | undefined;
  branches: string[] | undefined;
  onBranch: (branch: string) => void;
  /** Not while an answer is under way. */
  onEdit?: (content: string) => void;
}) {
  const { message, onEdit } = props;
  const [draft, setDraft] = useState<string | null>(null);
  const text = textOf(message);

  if (draft !== null)
    return (
      <li data-type={message.type}>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            setDraft(null);
            onEdit?.(draft);
          }}
        >
          <input
            aria-label="Edited message"
            value={draft}
            onChange={(event) => setDraft(event.target.value)}
          />
          <button>Save</button>
        </form>
      </li>
    );
  return (
    <li data-type={message.type}>
      <p>{text}</p>
      {message.type === "ai" &&
        message.tool_calls?.map(({ id, name, args }) => (
          <code key={id}>
            {name}({JSON.stringify(args)})
          </code>
        ))}
      {message.type === "human" && onEdit && (
        <button onClick={() => setDraft(text)}>Edit</button>
      )}
      <Branches {...props} />
    </li>
  );
}

/** Which of several versions of a message is shown, and the way to the others. */
function Branches({
  branch,
  branches = [],
  onBranch,
}: {
  branch: string | undefined;
  branches: string[] | undefined;
  onBranch: (branch: string) => void;
}) {
  if (branch === undefined || branches.length < 2) return null;
  const shown = branches.indexOf(branch);
  const go = (to: number) => onBranch(branches[to] ?? branch);
  return (
    <nav aria-label="Branches">
      <button disabled={shown <= 0} onClick={() => go(shown - 1)}>
        Previous
      </button>
      <span>
        {shown + 1} of {branches.length}
      </span>
      <button
        disabled={shown >= branches.length - 1}
        onClick={() => go(shown + 1)}
      >
        Next
      </button>
    </nav>
  );
}

const textOf = ({ content }: Message): string =>
  typeof content === "string"
    ? content
    : content.map((part) => (part.type === "text" ? part.text : "")).join("");
