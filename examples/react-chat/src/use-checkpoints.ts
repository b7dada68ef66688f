import { useChannelEffect, type UseStreamReturn } from "@langchain/react";
import { useEffect, useRef, useState } from "react";
import type { Checkpoint, Checkpoints } from "./branches.ts";
import type { ChatState } from "./chat-message.ts";

/** As many as are asked for when the page is loaded; a branch that is older is not found. */
const LIMIT = 200;

/** Those of the thread that are known: of its history, and as runs make them, here or in another tab. */
export function useCheckpoints(
  stream: UseStreamReturn<ChatState>,
): Checkpoints {
  const [known, setKnown] = useState<Checkpoints>(new Map());
  const add = (some: Checkpoint[]) =>
    setKnown(
      (before) =>
        new Map([...before, ...some.map((one) => [one.id, one] as const)]),
    );

  const { client } = stream;
  // A thread that is begun on this page has no history but what is seen here.
  const [threadId] = useState(stream.threadId);
  useEffect(() => {
    if (threadId === null) return;
    let isLeft = false;
    client.threads
      .getHistory<Partial<ChatState>>(threadId, { limit: LIMIT })
      .then(
        (history) => {
          if (!isLeft)
            add(
              history.map(({ checkpoint, parent_checkpoint, values }) => ({
                id: checkpoint.checkpoint_id ?? "",
                parent: parent_checkpoint?.checkpoint_id ?? undefined,
                messages: values.messages ?? [],
              })),
            );
        },
        () => {},
      );
    return () => {
      isLeft = true;
    };
  }, [client, threadId]);

  // Each checkpoint is announced right before the state that is in it.
  const announced = useRef<{ id: string; parent_id?: string }>(undefined);
  useChannelEffect(stream, ["checkpoints", "values"], {
    replay: true,
    onEvent({ method, params }) {
      if (params.namespace.length > 0) return;
      if (method === "checkpoints") {
        announced.current = params.data as { id: string; parent_id?: string };
      } else if (announced.current) {
        const { id, parent_id: parent } = announced.current;
        const { messages = [] } = params.data as Partial<ChatState>;
        announced.current = undefined;
        add([{ id, parent, messages }]);
      }
    },
  });
  return known;
}
