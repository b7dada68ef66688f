import { useStream } from "@langchain/react";
import { useMemo, useState } from "react";
import {
  branchesAt,
  checkpointBefore,
  newestOf,
  type Branches,
  type Checkpoint,
} from "./branches.ts";
import type { ChatMessage, ChatState } from "./chat-message.ts";
import { useCheckpoints } from "./use-checkpoints.ts";
import { useRuns } from "./use-runs.ts";

export interface Server {
  apiUrl: string;
  assistantId: string;
  transport: "sse" | "websocket";
}

export interface ThreadProps {
  id: string | null;
  /** The thread has been given this id. */
  onId: (id: string) => void;
  /** Is called for a run that another page has begun, and of which this one sees too little. */
  onRun: () => void;
}

/** A place in the thread that somebody has gone to; left when the thread goes on. */
interface Place {
  messages: ChatMessage[];
  /** Where a run goes on from here. */
  checkpoint: string | undefined;
  /** The newest checkpoint when it was gone to. */
  newest: string | undefined;
}

/** One hook has it all: tokens, tools, subagents, questions, and what was there before the page was loaded. */
function useThread(server: Server, { id, onId }: ThreadProps) {
  return useStream<ChatState>({
    ...server,
    threadId: id,
    onThreadId: onId,
    // A page that was offline for long comes back all the same.
    maxReconnectAttempts: Infinity,
  });
}

/** The conversation, and what can be done with it. */
export function useConversation(server: Server, thread: ThreadProps) {
  const stream = useThread(server, thread);
  const { isAsking, begunBefore } = useRuns(stream, thread.onRun);
  const checkpoints = useCheckpoints(stream);
  const newest = newestOf(checkpoints.values());
  const [place, setPlace] = useState<Place | null>(null);
  const known = useMemo(() => idsIn(checkpoints.values()), [checkpoints]);

  const here = place !== null && place.newest === newest?.id ? place : null;
  // No checkpoint has yet what is just being said.
  const messages: ChatMessage[] = [
    ...(here ?? newest ?? { messages: [] }).messages,
    ...stream.messages.filter(
      ({ id }) => !known.has(id) && !begunBefore.has(id),
    ),
  ];

  function submit(content: string, from: Place | null) {
    setPlace(from);
    void stream.submit(
      { messages: [{ type: "human", content }] },
      from?.checkpoint === undefined ? {} : { forkFrom: from.checkpoint },
    );
  }

  return {
    stream,
    messages,
    questions: isAsking ? stream.interrupts : [],
    send: (content: string) => submit(content, here),

    /** Says something else in the place of an earlier message: a second branch. */
    edit(index: number, content: string) {
      const checkpoint = checkpointBefore(checkpoints, { messages, index });
      const before = messages.slice(0, index);
      submit(content, { messages: before, checkpoint, newest: newest?.id });
    },

    branchesAt: (index: number): Branches =>
      branchesAt(checkpoints, { messages, index }),

    goTo({ id, messages }: Checkpoint) {
      setPlace({ messages, checkpoint: id, newest: newest?.id });
    },

    async stop() {
      const { client, threadId } = stream;
      // A page that came to a run that was there before does not know its id.
      const running = threadId
        ? await client.runs.list(threadId, { status: "running" })
        : [];
      for (const { thread_id, run_id } of running)
        await client.runs.cancel(thread_id, run_id);
      await stream.disconnect();
    },
  };
}

const idsIn = (checkpoints: Iterable<Checkpoint>) =>
  new Set<unknown>(
    [...checkpoints].flatMap(({ messages }) => messages.map(({ id }) => id)),
  );

export type Conversation = ReturnType<typeof useConversation>;
