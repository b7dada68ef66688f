import type { ThreadStream } from "@langchain/langgraph-sdk";
import type { Channel } from "@langchain/protocol";
import { describe, expect, onTestFinished, test } from "vitest";
import { WebSocket } from "ws";
import type { Driven } from "./driven.ts";

type Transport = "sse" | "websocket";

/** `client.threads.stream()`, over both of its transports. */
export function threadProtocolSuite(driven: Driven): void {
  const streamOf = (
    assistantId: string,
    transport: Transport,
    threadId?: string,
  ): ThreadStream => {
    const { threads } = driven.unrecorded({
      apiUrl: driven.server.url,
      callerOptions: { maxRetries: 0 },
    });
    const options = {
      assistantId,
      transport,
      // Node has one of its own only from version 22 on.
      webSocketFactory: (url: string) => new WebSocket(url) as never,
    };
    const thread =
      threadId === undefined
        ? threads.stream(options)
        : threads.stream(threadId, options);
    onTestFinished(() => thread.close());
    return thread;
  };

  describe.each<Transport>(["sse", "websocket"])("over %s", (transport) => {
    const options = ["assistantId", "transport"];
    const start = (thread: ThreadStream, input: unknown) =>
      driven.record.settle(
        { method: "threads.stream", options },
        thread.run.start({ input }),
      ) as Promise<{ run_id: string }>;

    test("a run that a thread stream starts gives tokens, then its output", async () => {
      const thread = streamOf("agent", transport);
      await start(thread, { messages: [{ role: "user", content: "hello" }] });
      const answers: string[][] = [];
      for await (const message of thread.messages) {
        const tokens: string[] = [];
        for await (const token of message.text) tokens.push(token);
        answers.push(tokens);
      }
      expect(answers).toHaveLength(1);
      expect(answers[0]?.length).toBeGreaterThan(3);
      const output = (await thread.output) as { messages: { text: string }[] };
      expect(output.messages.at(-1)?.text).toBe(answers[0]?.join(""));
    });

    test("a run stops at a question, and goes on with the answer", async () => {
      const thread = streamOf("trip", transport);
      await start(thread, { wish: "a weekend in Porto" });
      for await (const _state of thread.values); // until it pauses
      const [asked, ...others] = thread.interrupts;
      expect(others).toEqual([]);
      expect(thread.interrupted).toBe(true);
      expect(asked?.payload).toEqual({
        question: "Which seat on the 9:30 to Porto?",
      });
      expect(asked?.namespace).toEqual([expect.stringMatching(/^booking:/)]);
      const channels: Channel[] = ["values", "lifecycle"];
      const ended = await thread.subscribe({
        channels,
        namespaces: [[]],
        depth: 0,
      });
      await thread.input.respond({
        namespace: asked?.namespace ?? [],
        interrupt_id: asked?.interruptId ?? "",
        response: "window seat",
      });
      await expect
        .poll(async () => {
          const state = await driven.client.threads.getState(thread.threadId);
          return (state.values as { summary?: string }).summary;
        })
        .toBe("You are going to Porto: window seat on the 9:30 to Porto.");
      await ended.unsubscribe();
    });

    test("a command that is refused says why", async () => {
      const thread = streamOf("no-such-graph", transport);
      await expect(thread.run.start({ input: {} })).rejects.toMatchObject({
        code: "invalid_argument",
      });
    });
  });
}
