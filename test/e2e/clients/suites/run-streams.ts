import { describe, expect, test } from "vitest";
import {
  collect,
  dataOf,
  eventsOf,
  NOBODY,
  type Frame,
} from "../../../support/sdk.ts";
import { drain, expectRefused, type Driven, eventually } from "./driven.ts";

const text = "a bc";

type StreamOptions = NonNullable<
  Parameters<Driven["client"]["runs"]["stream"]>[2]
>;

/** R3, R8, R15: what only streams have. */
export function runStreamSuite(driven: Driven): void {
  const streamed = async (graph: string, options: object) => {
    const { threads, runs } = driven.client;
    const { thread_id } = await threads.create();
    return collect(runs.stream(thread_id, graph, options as StreamOptions));
  };

  describe("runs.stream", () => {
    test("streamMode: one mode, several, every one", async () => {
      const input = { text };
      const plain = await streamed("fan-out", { input });
      expect(eventsOf(plain)).toEqual([
        "metadata",
        ...["values", "values", "values"],
        "end",
      ]);
      const updates = await streamed("fan-out", {
        input,
        streamMode: "updates",
      });
      expect(dataOf(updates, "updates").at(-1)).toEqual({ sum: { total: 3 } });
      const streamMode = ["values", "updates", "custom", "debug", "tasks"];
      const steps = { steps: 1, seconds: 0.01 };
      const some = await streamed("slow", { input: steps, streamMode });
      expect(new Set(eventsOf(some))).toEqual(
        new Set(["metadata", ...streamMode, "end"]),
      );
      const messages = [{ role: "user", content: "hello" }];
      const chat = await streamed("agent", {
        input: { messages },
        streamMode: ["messages", "messages-tuple", "events", "checkpoints"],
      });
      expect(new Set(eventsOf(chat))).toEqual(
        new Set([
          "metadata",
          "messages",
          "messages/metadata",
          "messages/partial",
          "messages/complete",
          "events",
          "checkpoints",
          "end",
        ]),
      );
      const office = await streamed("office", {
        input: { mode: "" },
        streamMode: ["lifecycle", "thoughts"],
      });
      const [desk = ""] = eventsOf(office).slice(1);
      expect(desk).toMatch(/^lifecycle\|desk:/);
      expect(dataOf(office, desk)).toMatchObject([
        { event: "started", namespace: [desk.slice("lifecycle|".length)] },
        { event: "completed" },
      ]);
      const tools = await streamed("workshop", {
        input: {},
        streamMode: "tools",
      });
      expect(dataOf(tools, "tools")).toHaveLength(6);
      await expectRefused(
        streamed("fan-out", { input, streamMode: ["thoughts"] }),
        422,
        /^stream_mode: unknown mode "thoughts"/,
      );
    });

    test("streamSubgraphs gives the frames of subgraphs too", async () => {
      const frames = await streamed("trip", {
        input: { wish: "to Porto" },
        streamMode: "updates",
        streamSubgraphs: true,
      });
      expect(eventsOf(frames)).toContainEqual(
        expect.stringMatching(/^updates\|booking:/),
      );
    });

    test("feedbackKeys are taken", async () => {
      const feedbackKeys = ["score"];
      const frames = await streamed("fan-out", {
        input: { text },
        feedbackKeys,
      });
      expect(eventsOf(frames).at(-1)).toBe("end");
    });

    test("an error is a frame, and the last one", async () => {
      const frames = await streamed("failing", {
        input: { item: "lamp", stock: 0 },
      });
      const error = { error: "OutOfStockError", message: "No lamp left" };
      expect(dataOf(frames, "error")).toEqual([error]);
    });
  });

  describe("runs.joinStream", () => {
    /** A run that has ended, and all of its frames. */
    const ended = async (threadId?: null) => {
      const { threads, runs } = driven.client;
      const thread_id =
        threadId === null ? null : (await threads.create()).thread_id;
      let runId = "";
      const frames = await collect(
        runs.stream(thread_id as string, "fan-out", {
          input: { text },
          streamMode: ["values", "updates"],
          streamResumable: true,
          onRunCreated: ({ run_id }) => (runId = run_id),
        }),
      );
      return { threadId: thread_id, runId, frames };
    };

    test("lastEventId replays what comes after it, streamMode filters", async () => {
      const { runs } = driven.client;
      const { threadId, runId, frames } = await ended();
      const join = (options?: Parameters<typeof runs.joinStream>[2]) =>
        collect(runs.joinStream(threadId, runId, options));
      expect(eventsOf(await join())).toEqual(["end"]);
      expect(await join({ lastEventId: "-1" })).toEqual(frames);
      const lastEventId = frames[2]?.id ?? "";
      expect(await join({ lastEventId })).toEqual(frames.slice(3));
      for (const streamMode of ["updates", ["updates"]])
        expect(
          eventsOf(
            await join({
              lastEventId: "-1",
              streamMode: streamMode as "updates",
            }),
          ),
        ).toEqual(["metadata", "updates", "updates", "updates", "end"]);
    });

    test("without a thread, a run is found by its id", async () => {
      const { runs } = driven.client;
      const { runId, frames } = await ended(null);
      expect(
        await collect(runs.joinStream(null, runId, { lastEventId: "-1" })),
      ).toEqual(frames);
    });

    test("cancelOnDisconnect ends the run when its reader leaves", async () => {
      const { threads, runs } = driven.client;
      const { thread_id } = await threads.create();
      const { run_id } = await runs.create(thread_id, "slow", {
        input: { steps: 100, seconds: 0.1 },
        streamMode: ["custom"],
      });
      const leave = new AbortController();
      const frames: Frame[] = [];
      for await (const frame of runs.joinStream(thread_id, run_id, {
        lastEventId: "-1",
        cancelOnDisconnect: true,
        signal: leave.signal,
      })) {
        frames.push(frame as Frame);
        if (frames.length > 1) leave.abort();
      }
      await eventually(
        async () => (await runs.get(thread_id, run_id)).status,
      ).toBe("interrupted");
    });

    test("what is not there is refused, and an aborted call is empty", async () => {
      const { threads, runs } = driven.client;
      const { thread_id } = await threads.create();
      for (const threadId of [thread_id, null])
        await expectRefused(
          drain(runs.joinStream(threadId, NOBODY)),
          404,
          "Run not found",
        );
      expect(
        await collect(runs.joinStream(null, NOBODY, AbortSignal.abort())),
      ).toEqual([]);
    });
  });

  if (!driven.isNewest) return;

  test("streamNamespaces, streamIdleReconnect and checkpointId are taken", async () => {
    const { threads, runs } = driven.client;
    const { thread_id } = await threads.create();
    let runId = "";
    const narrow = { streamNamespaces: [""], streamIdleReconnect: 0 };
    const frames = await collect(
      runs.stream(thread_id, "fan-out", {
        input: { text },
        ...narrow,
        onRunCreated: ({ run_id }) => (runId = run_id),
      }),
    );
    expect(dataOf(frames, "values")).toHaveLength(3);
    const { checkpoint } = await threads.getState(thread_id);
    const checkpointId = checkpoint.checkpoint_id ?? "";
    expect(
      await collect(
        runs.joinStream(thread_id, runId, {
          lastEventId: "-1",
          checkpointId,
          ...narrow,
        } as never),
      ),
    ).toEqual(frames);
  });
}
