import { expect, it } from "vitest";
import type { RunEvent } from "../model/run-event.ts";
import { runFrame, sseStream } from "./sse.ts";

it("lets go of its source when a client leaves that had stopped reading", async () => {
  let isReleased = false;
  async function* endless(): AsyncGenerator<RunEvent> {
    const data = JSON.stringify("x".repeat(100_000));
    try {
      for (let seq = 1; ; seq += 1)
        yield { seq, run_id: "r", attempt: 1, event: "values", data, at: 0 };
    } finally {
      isReleased = true;
    }
  }
  const closes: boolean[] = [];
  const stream = sseStream(endless(), runFrame, (isComplete) =>
    closes.push(isComplete),
  );
  const reader = stream.getReader();
  await reader.read();
  await new Promise(setImmediate); // the buffer fills up, and the source is read no more
  await reader.cancel();
  await new Promise(setImmediate);
  expect(closes).toEqual([false]);
  expect(isReleased).toBe(true);
});
