import type { Message } from "@langchain/langgraph-sdk";
import { useStream } from "@langchain/langgraph-sdk/react";
import { useThreadInAddress } from "./address.ts";
import { Composer } from "./composer.tsx";
import { ChatMessage } from "./message.tsx";
import { Question } from "./question.tsx";

interface ChatState extends Record<string, unknown> {
  messages: Message[];
}

/** The conversation, and what can be said in it. */
function useConversation(server: { apiUrl: string; assistantId: string }) {
  const [threadId, setThreadId] = useThreadInAddress();
  const stream = useStream<ChatState>({
    ...server,
    threadId,
    onThreadId: setThreadId,
    // The run goes on while the page is gone; a page that comes back joins it.
    reconnectOnMount: true,
    // What the branches are made of. An older one than the limit (10, without) is not found.
    fetchStateHistory: { limit: 200 },
  });

  const send = (content: string) => {
    const message: Message = { type: "human", content };
    // The branch that is shown goes on, and not the one that was made last.
    const checkpoint =
      stream.branch === "" ? undefined : stream.history.at(-1)?.checkpoint;
    void stream.submit(
      { messages: [message] },
      {
        checkpoint,
        optimisticValues: ({ messages }) => ({
          messages: [...(messages ?? []), message],
        }),
      },
    );
  };

  /** Another message in place of this one: from the state before it, the thread gets a second branch. */
  const edit = (message: Message, content: string) => {
    const { firstSeenState } = stream.getMessagesMetadata(message) ?? {};
    const checkpoint = firstSeenState?.parent_checkpoint;
    if (!checkpoint) return;
    void stream.submit(
      { messages: [{ type: "human", content }] },
      { checkpoint },
    );
  };

  return { stream, send, edit };
}

export function Chat(server: { apiUrl: string; assistantId: string }) {
  const { stream, send, edit } = useConversation(server);
  return (
    <main>
      <ol aria-label="Conversation" aria-busy={stream.isLoading}>
        {stream.messages.map((message, index) => {
          const about = stream.getMessagesMetadata(message, index);
          return (
            <ChatMessage
              key={message.id ?? index}
              message={message}
              branch={about?.branch}
              branches={about?.branchOptions}
              onBranch={stream.setBranch}
              {...(stream.isLoading
                ? {}
                : { onEdit: (text: string) => edit(message, text) })}
            />
          );
        })}
      </ol>
      {stream.interrupts.map(({ id, value, when }) =>
        when === "breakpoint" ? (
          // Before a step that has still to be done: the graph was told to wait here, or was stopped.
          <button key="continue" onClick={() => void stream.submit(null)}>
            Continue
          </button>
        ) : (
          <Question
            key={id}
            value={value}
            onAnswer={(resume) =>
              void stream.submit(null, { command: { resume } })
            }
          />
        ),
      )}
      {stream.error ? <p role="alert">{String(stream.error)}</p> : null}
      <Composer
        onSend={send}
        {...(stream.isLoading ? { onStop: () => void stream.stop() } : {})}
      />
    </main>
  );
}
