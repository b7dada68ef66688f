import { useChannelEffect, type UseStreamReturn } from "@langchain/react";
import { useRef, useState } from "react";
import type { ChatState } from "./chat-message.ts";

interface Runs {
  /** Nobody has answered yet, on this page or on another. */
  isAsking: boolean;
  /** Ids of messages that were begun before the last run was: what no checkpoint has of them is not said any more. */
  begunBefore: ReadonlySet<unknown>;
}

/**
 * What `useStream` leaves to the page of the runs of its thread. `onRun` is
 * called for one that another page has begun, when nothing ran as this page came
 * to the thread: it has to come anew to see what is said.
 */
export function useRuns(
  stream: UseStreamReturn<ChatState>,
  onRun: () => void,
): Runs {
  const { client } = stream;
  const [runs, setRuns] = useState<Runs>({
    isAsking: true,
    begunBefore: new Set(),
  });
  const begun = useRef(new Set<unknown>());
  const phase = useRef("");
  const latest = useRef({ stream, onRun });
  latest.current = { stream, onRun };

  useChannelEffect(stream, ["lifecycle", "messages"], {
    replay: true,
    onEvent({ method, params }) {
      const { event, id } = params.data as { event: string; id?: string };
      if (event === "message-start") begun.current.add(id);
      if (method !== "lifecycle" || params.namespace.length > 0) return;
      phase.current = event;
      // Also when a run begins again, after the server or a worker has died.
      if (event === "running") {
        setRuns({ isAsking: false, begunBefore: new Set(begun.current) });
        void look();
      } else setRuns((was) => ({ ...was, isAsking: event === "interrupted" }));
    },
  });

  /** What is told may be long over. */
  async function look() {
    const { threadId } = latest.current.stream;
    if (threadId === null) return;
    const running = await client.runs.list(threadId, { status: "running" });
    const { stream, onRun } = latest.current;
    const isOn = running.length > 0 && phase.current === "running";
    if (isOn && !stream.isLoading) onRun();
  }
  return runs;
}
