import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { uuid7 } from "../../src/lib/uuid.ts";
import { EMPTY_STATE } from "../../src/model/thread-state.ts";
import { openStateBench, type StateBench } from "../support/state-bench.ts";

let bench: StateBench;
beforeAll(async () => {
  bench = await openStateBench();
});
afterAll(() => bench[Symbol.asyncDispose]());

describe("the state of a thread", () => {
  it("is empty before the first run", async () => {
    const thread = await bench.thread();
    expect(await bench.state(thread)).toEqual(EMPTY_STATE);
  });

  it("is that of the last checkpoint once the graph has ended", async () => {
    const thread = await bench.thread("linear");
    await bench.run(thread, { topic: "rain" });
    const state = await bench.state(thread);
    expect(state).toMatchObject({
      values: { topic: "rain", log: ["first about rain", "second about rain"] },
      next: [],
      tasks: [],
      interrupts: [],
      metadata: {
        source: "loop",
        step: 2,
        thread_id: thread,
        graph_id: "linear",
      },
      checkpoint: {
        thread_id: thread,
        checkpoint_ns: "",
        checkpoint_map: null,
      },
    });
  });
});
