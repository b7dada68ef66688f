import { useChannelEffect, type UseStreamReturn } from "@langchain/react";
import { useRef, useState } from "react";
import type { ChatState } from "./chat-message.ts";

/**
 * What `useStream` leaves to the page of runs that another page has begun. When
 * nothing ran as this one came to the thread, it has to come anew to see what
 * they say: `onRun`. And a question that the other page has answered is none.
 */
export function useRuns(
  stream: UseStreamReturn<ChatState>,
  onRun: () => void,
): { isAsking: boolean } {
  const { client } = stream;
  const [isAsking, setAsking] = useState(true);
  const latest = useRef({ stream, onRun });
  latest.current = { stream, onRun };

  useChannelEffect(stream, ["lifecycle"], {
    replay: true,
    onEvent({ method, params }) {
      if (method !== "lifecycle" || params.namespace.length > 0) return;
      const { event } = params.data as { event: string };
      setAsking(event === "interrupted");
      if (event === "running") void look();
    },
  });

  /** What is told may be long over. */
  async function look() {
    const { threadId } = latest.current.stream;
    if (threadId === null) return;
    const running = await client.runs.list(threadId, { status: "running" });
    const { stream, onRun } = latest.current;
    if (running.length > 0 && !stream.isLoading) onRun();
  }
  return { isAsking };
}
