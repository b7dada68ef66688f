import { describe, expect, test } from "vitest";
import { collect, eventsOf, NOBODY, type Frame } from "../../../support/sdk.ts";
import { drain, expectRefused, type Driven } from "./driven.ts";

/** T16: all runs of a thread in one stream. */
export function threadStreamSuite(driven: Driven): void {
  type Options = Parameters<typeof driven.client.threads.joinStream>[1];

  /** Leaves after so many frames: the stream has no end of its own. */
  const joined = async (threadId: string, count: number, options: Options) => {
    const leave = new AbortController();
    const frames: Frame[] = [];
    const { signal } = leave;
    const stream = driven.client.threads.joinStream(threadId, {
      ...options,
      signal,
    });
    for await (const frame of stream) {
      frames.push(frame as Frame);
      if (frames.length === count) break;
    }
    leave.abort();
    return frames;
  };

  describe("threads.joinStream", () => {
    const twoRuns = async () => {
      const { threads, runs } = driven.client;
      const { thread_id } = await threads.create();
      const frames: Frame[] = [];
      for (const text of ["a", "b c"])
        frames.push(
          ...(await collect(
            runs.stream(thread_id, "fan-out", { input: { text } }),
          )),
        );
      return { thread_id, frames };
    };

    test("lastEventId replays the runs from there on", async () => {
      const { thread_id, frames } = await twoRuns();
      const count = frames.length;
      expect(await joined(thread_id, count, { lastEventId: "-1" })).toEqual(
        frames,
      );
      const lastEventId = frames[2]?.id ?? "";
      expect(await joined(thread_id, count - 3, { lastEventId })).toEqual(
        frames.slice(3),
      );
    });

    test("streamMode: the frames of runs, their lifecycle, the states they leave", async () => {
      const { thread_id } = await twoRuns();
      const replay = (count: number, streamMode: string | string[]) =>
        joined(thread_id, count, {
          lastEventId: "-1",
          streamMode: streamMode as "lifecycle",
        });
      expect(eventsOf(await replay(4, "lifecycle"))).toEqual([
        ...["metadata", "end"],
        ...["metadata", "end"],
      ]);
      const all = await replay(12, ["run_modes", "state_update"]);
      expect(eventsOf(all).filter((name) => name === "values")).toHaveLength(6);
      const [first, second] = await replay(2, ["state_update"]);
      expect(first?.data).toMatchObject({
        thread_id,
        state: { values: { text: "a" } },
      });
      const state = await driven.client.threads.getState(thread_id);
      expect(second?.data).toMatchObject({ state });
    });

    test("a thread that is not there, and a mode that is none, are refused", async () => {
      const { threads } = driven.client;
      await expectRefused(
        drain(threads.joinStream(NOBODY)),
        404,
        `Thread with ID ${NOBODY} not found`,
      );
      const { thread_id } = await threads.create();
      await expectRefused(
        drain(threads.joinStream(thread_id, { streamMode: "x" as never })),
        422,
        /^stream_mode: unknown mode "x"/,
      );
    });
  });
}
