import { describe, expect, it, vi } from "vitest";
import type { ProducedEvent } from "../model/run-event.ts";
import { memoryPipe } from "../protocol/pipe.ts";
import { Peer } from "../protocol/peer.ts";
import type { ServerPeer } from "./context.ts";
import { EventSender } from "./event-sender.ts";

/** A sender, and the batches that arrive at the other end. */
function sender() {
  const [serverEnd, workerEnd] = memoryPipe();
  const batches: ProducedEvent[][] = [];
  const server = new Peer({
    pipe: serverEnd,
    runtime: "server",
    requests: {},
    notices: {
      "run.events": (params: unknown) =>
        void batches.push((params as { events: ProducedEvent[] }).events),
    },
  });
  const peer = new Peer({
    pipe: workerEnd,
    runtime: "worker",
    requests: {},
    notices: {},
  }) as unknown as ServerPeer;
  const arrived = async (events: number) => {
    await vi.waitUntil(() => batches.flat().length >= events);
    peer.close();
    server.close();
    return batches;
  };
  return {
    sender: new EventSender(peer, { run_id: "r", attempt: 1 }, "watched"),
    arrived,
  };
}

const event = (text: string): ProducedEvent => ["custom", text];

describe("EventSender", () => {
  it("sends what one turn of the loop produces in one notice, in order", async () => {
    const { sender: events, arrived } = sender();
    for (let index = 0; index < 100; index += 1)
      await events.send(event(`${index}`));
    await events.drain();
    await new Promise((resolve) => setImmediate(resolve));
    await events.send(event("later"));
    await events.drain();
    const batches = await arrived(101);
    expect(batches.map((batch) => batch.length)).toEqual([100, 1]);
    expect(batches.flat().map(([, text]) => text)).toEqual([
      ...Array.from({ length: 100 }, (_, index) => `${index}`),
      "later",
    ]);
  });

  it("sends what comes faster than anybody can see in few notices", async () => {
    const { sender: events, arrived } = sender();
    for (let index = 0; index < 100; index += 1) {
      await events.send(event(`${index}`));
      await new Promise((resolve) => setImmediate(resolve));
    }
    const batches = await arrived(100);
    expect(batches[0]).toHaveLength(1);
    expect(batches.length).toBeLessThan(50);
  });

  it("makes its producer wait when much is unsent", async () => {
    const { sender: events, arrived } = sender();
    const large = event("x".repeat(400_000));
    await events.send(large);
    await events.send(large);
    let hasRoom = false;
    const third = events.send(large).then(() => (hasRoom = true));
    await Promise.resolve();
    expect(hasRoom).toBe(false);
    await third;
    await events.drain();
    expect((await arrived(3)).length).toBeGreaterThan(0);
  });
});
