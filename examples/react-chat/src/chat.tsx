import { useEffect, useRef, useState } from "react";
import { useThreadInAddress } from "./address.ts";
import { Approval } from "./approval.tsx";
import { Composer } from "./composer.tsx";
import { Message } from "./message.tsx";
import {
  useConversation,
  type Server,
  type ThreadProps,
} from "./use-conversation.ts";

const SUGGESTIONS = [
  "What is the weather in Lisbon?",
  "Research solar sails",
  "Send an email to Ada: Lunch at noon",
];

export function Chat(server: Server) {
  const [threadId, setThreadId] = useThreadInAddress();
  const [visit, setVisit] = useState(0);
  const comeAnew = () => setVisit((count) => count + 1);
  const startAnew = () => {
    setThreadId(null);
    comeAnew();
  };
  return (
    <>
      <header>
        <h1>Spool chat</h1>
        <button onClick={startAnew}>New chat</button>
      </header>
      <Thread
        key={visit}
        server={server}
        thread={{ id: threadId, onId: setThreadId, onRun: comeAnew }}
      />
    </>
  );
}

function Thread({ server, thread }: { server: Server; thread: ThreadProps }) {
  const conversation = useConversation(server, thread);
  const { stream, messages, questions, send } = conversation;
  const { isLoading, error } = stream;
  return (
    <main>
      <ol aria-label="Conversation" aria-busy={isLoading}>
        {messages.map((message, index) =>
          message.type === "tool" ? null : (
            <Message
              key={message.id ?? index}
              {...{ message, index, conversation }}
            />
          ),
        )}
        {questions.map(({ id, value }) => (
          <Approval
            key={id}
            value={value}
            onAnswer={(answer) =>
              void stream.respond(
                answer,
                id === undefined ? {} : { interruptId: id },
              )
            }
          />
        ))}
      </ol>
      {messages.length === 0 && !stream.isThreadLoading && (
        <nav aria-label="Suggestions">
          {SUGGESTIONS.map((text) => (
            <button key={text} onClick={() => send(text)}>
              {text}
            </button>
          ))}
        </nav>
      )}
      {error ? <p role="alert">{String(error)}</p> : null}
      <End of={messages} />
      <Composer
        onSend={send}
        {...(isLoading ? { onStop: () => void conversation.stop() } : {})}
      />
    </main>
  );
}

/** Stays in sight while an answer grows, unless one has scrolled away from it. */
function End({ of }: { of: unknown }) {
  const mark = useRef<HTMLDivElement>(null);
  const isInSight = useRef(true);
  useEffect(() => {
    const observer = new IntersectionObserver(
      ([entry]) => (isInSight.current = entry?.isIntersecting ?? true),
      { rootMargin: "0px 0px 120px" },
    );
    observer.observe(mark.current!);
    return () => observer.disconnect();
  }, []);
  useEffect(() => {
    if (isInSight.current) mark.current?.scrollIntoView({ block: "end" });
  }, [of]);
  return <div ref={mark} className="end" />;
}
