import { Command, GraphInterrupt } from "@langchain/langgraph";
import { RemoteGraph } from "@langchain/langgraph/remote";
import { describe, expect, test } from "vitest";
import { NOBODY } from "../../../support/sdk.ts";
import { eventually, expectRefused, type Driven } from "./driven.ts";

/** The graph of a server as a graph of one's own program. It calls the client of its package, which is 1.15.0. */
export function remoteGraphSuite(driven: Driven): void {
  const unrecorded = (graphId: string): RemoteGraph =>
    new RemoteGraph({
      graphId,
      client: driven.unrecorded({
        apiUrl: driven.server.url,
        callerOptions: { maxRetries: 0 },
      }),
    });
  const remote = (graphId: string): RemoteGraph =>
    driven.record.resource("RemoteGraph", unrecorded(graphId));

  const newThread = async () => {
    const { thread_id } = await driven.client.threads.create();
    return { configurable: { thread_id } };
  };

  /** It throws at the frame that tells of the interrupt, when the run has not quite ended. */
  const ended = ({ configurable }: Awaited<ReturnType<typeof newThread>>) =>
    eventually(async () => {
      const { threads } = driven.client;
      return (await threads.get(configurable.thread_id)).status;
    }).toBe("interrupted");

  describe("RemoteGraph", () => {
    test("streamEvents, in version v3", async () => {
      const config = await newThread();
      // What it gives is more than the stream that a record would make of it.
      const started = await unrecorded("trip").streamEvents(
        { wish: "a weekend in Porto" },
        { ...config, version: "v3" },
      );
      const states: unknown[] = [];
      for await (const state of started.values) states.push(state);
      expect(states.at(-1)).toMatchObject({ train: "the 9:30 to Porto" });
      expect(started.interrupted).toBe(true);
      await ended(config);
      const resumed = await unrecorded("trip").streamEvents(
        new Command({ resume: "window seat" }),
        { ...config, version: "v3" },
      );
      for await (const _ of resumed.values); // to its end
      const { values } = await remote("trip").getState(config);
      expect(values).toMatchObject({
        booked: "window seat on the 9:30 to Porto",
      });
    });

    test("getGraphAsync, getSubgraphsAsync", async () => {
      const plain = await remote("trip").getGraphAsync();
      expect(Object.keys(plain.nodes)).toContain("booking");
      const xray = await remote("trip").getGraphAsync({ xray: true });
      expect(Object.keys(xray.nodes)).toContain("booking:search");
      const names: string[] = [];
      const subgraphs = remote("trip").getSubgraphsAsync(undefined, true);
      for await (const [name] of subgraphs) names.push(name);
      expect(names).toEqual(["booking"]);
      await expectRefused(remote(NOBODY).getGraphAsync(), 404);
    });

    test("invoke, with and without a thread", async () => {
      const input = { text: "a bc" };
      const values = { text: "a bc", lengths: [1, 2], total: 3 };
      expect(await remote("fan-out").invoke(input)).toEqual(values);
      const config = await newThread();
      expect(await remote("fan-out").invoke(input, config)).toEqual(values);
      const state = await remote("fan-out").getState(config);
      expect(state).toMatchObject({ values, next: [] });
      await expect(
        remote("failing").invoke({ item: "lamp", stock: 0 }),
      ).rejects.toThrow("OutOfStockError");
      await expectRefused(remote(NOBODY).invoke(input), 404);
    });

    test("stream, in one mode and in several", async () => {
      const input = { text: "a bc" };
      const collected = async (
        streamMode: "updates" | ("values" | "messages")[],
      ) => {
        const chunks: unknown[] = [];
        const options = { streamMode };
        const stream = await remote("fan-out").stream(input, options);
        for await (const chunk of stream) chunks.push(chunk);
        return chunks;
      };
      expect((await collected("updates")).at(-1)).toEqual({
        sum: { total: 3 },
      });
      expect((await collected(["values", "messages"])).at(-1)).toEqual([
        "values",
        { ...input, lengths: [1, 2], total: 3 },
      ]);
    });

    test("stream, with frames of subgraphs, until it is interrupted", async () => {
      const config = await newThread();
      const chunks: unknown[] = [];
      const stream = await remote("trip").stream(
        { wish: "to Porto" },
        { ...config, streamMode: ["updates", "values"], subgraphs: true },
      );
      const read = (async () => {
        for await (const chunk of stream) chunks.push(chunk);
      })();
      await expect(read).rejects.toBeInstanceOf(GraphInterrupt);
      expect(chunks).toContainEqual([
        [],
        "updates",
        { choose: { city: "Porto" } },
      ]);
      expect(chunks).toContainEqual([
        [expect.stringMatching(/^booking:/)],
        "updates",
        { search: { train: "the 9:30 to Porto" } },
      ]);
      await ended(config);
      const answer = new Command({ resume: "aisle" });
      expect(await remote("trip").invoke(answer, config)).toMatchObject({
        booked: "aisle on the 9:30 to Porto",
      });
    });

    test("getState, getStateHistory, updateState", async () => {
      const graph = remote("approval");
      const config = await newThread();
      await expect(graph.invoke({ to: "Ada" }, config)).rejects.toBeInstanceOf(
        GraphInterrupt,
      );
      await ended(config);
      const state = await graph.getState(config);
      expect(state).toMatchObject({
        next: ["approve"],
        tasks: [{ name: "approve" }],
      });
      const steps = async (options?: object) => {
        const found: unknown[] = [];
        for await (const { metadata } of graph.getStateHistory(config, options))
          found.push(metadata?.step);
        return found;
      };
      expect(await steps()).toEqual([1, 0, -1]);
      expect(await steps({ limit: 1 })).toEqual([1]);
      expect(await steps({ before: state.config })).toEqual([0, -1]);
      expect(await steps({ filter: { source: "input" } })).toEqual([-1]);
      const updated = await graph.updateState(
        config,
        { approved: true },
        "approve",
      );
      expect(await graph.getState(updated)).toMatchObject({
        values: { approved: true },
        next: ["send"],
      });
      const nobody = { configurable: { thread_id: NOBODY } };
      await expectRefused(graph.getState(nobody), 404);
      await expectRefused(graph.updateState(nobody, {}), 404);
    });
  });
}
