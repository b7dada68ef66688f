/** `RemoteGraph` as a node of another graph, which is in a program of its own or on a server as well. */
import { randomUUID } from "node:crypto";
import { fileURLToPath } from "node:url";
import {
  Annotation,
  Command,
  MemorySaver,
  START,
  StateGraph,
} from "@langchain/langgraph";
import { RemoteGraph } from "@langchain/langgraph/remote";
import { describe, expect, test } from "vitest";
import { workflow } from "../fixtures/remote-graphs/secretary.ts";
import { collect, dataOf, UUID } from "../support/sdk.ts";
import { ALL_GRAPHS, useServer } from "../support/server.ts";

const QUESTION = {
  question: "Send this letter?",
  letter: "Dear Ada, please find the report attached.",
};

/** Its type wants to know the nodes of the graph, to which it does not go. */
const answering = (resume: string) => new Command({ resume }) as never;

const remoteGraphs = fileURLToPath(
  new URL("../fixtures/remote-graphs/langgraph.json", import.meta.url),
);

describe("in a program of its own", () => {
  const server = useServer({ config: ALL_GRAPHS });

  const newThread = () => ({ configurable: { thread_id: randomUUID() } });

  /** The remote graph itself is the node. */
  function around(graphId: string) {
    const State = Annotation.Root({
      text: Annotation<string>,
      wish: Annotation<string>,
      item: Annotation<string>,
      stock: Annotation<number>,
      total: Annotation<number>,
      report: Annotation<string>,
    });
    // RemoteGraph has every method that a node needs, and its types do not say so.
    const remote = new RemoteGraph({ graphId, url: server.url }) as never;
    return new StateGraph(State)
      .addNode("remote", remote)
      .addNode("tell", ({ total }) => ({ report: `${total} in all` }))
      .addEdge(START, "remote")
      .addEdge("remote", "tell")
      .compile({ checkpointer: new MemorySaver() });
  }

  test("what the remote graph leaves is in the state of the graph", async () => {
    const config = newThread();
    const graph = around("fan-out");
    const values = { text: "a bc", total: 3, report: "3 in all" };
    expect(await graph.invoke({ text: "a bc" }, config)).toEqual(values);
    expect(await graph.getState(config)).toMatchObject({ values, next: [] });
    // It has run on the thread of the same name.
    const { thread_id } = config.configurable;
    expect(await server.client.threads.getState(thread_id)).toMatchObject({
      values: { total: 3 },
      next: [],
    });
  });

  test("frames of the remote graph and of its subgraphs are in the stream, below the node", async () => {
    const stream = await around("trip").stream(
      { wish: "to Porto" },
      { ...newThread(), streamMode: ["updates"], subgraphs: true },
    );
    const chunks: unknown[] = [];
    for await (const chunk of stream) chunks.push(chunk);
    const remote = expect.stringMatching(/^remote:/);
    const booking = expect.stringMatching(/^booking:/);
    expect(chunks.slice(0, 2)).toEqual([
      [[remote], "updates", { choose: { city: "Porto" } }],
      [
        [remote, booking],
        "updates",
        { search: { train: "the 9:30 to Porto" } },
      ],
    ]);
    const asked = [
      {
        id: expect.any(String),
        value: { question: "Which seat on the 9:30 to Porto?" },
      },
    ];
    expect(chunks.at(-1)).toEqual([[], "updates", { __interrupt__: asked }]);
  });

  test("a question of the remote graph is one of the graph, and in the state of both", async () => {
    const config = newThread();
    const graph = around("trip");
    await graph.invoke({ wish: "to Porto" }, config);
    const state = await graph.getState(config);
    expect(state.next).toEqual(["remote"]);
    const asked = state.tasks.flatMap(({ interrupts }) => interrupts);
    expect(asked).toMatchObject([
      { value: { question: "Which seat on the 9:30 to Porto?" } },
    ]);
    const remote = new RemoteGraph({ graphId: "trip", url: server.url });
    const { next, tasks } = await remote.getState(config, { subgraphs: true });
    expect(next).toEqual(["booking"]);
    expect(tasks).toMatchObject([
      {
        interrupts: [{ interrupt_id: asked[0]?.id }],
        state: { values: { train: "the 9:30 to Porto" }, next: ["book"] },
      },
    ]);
  });

  test("an error of the remote graph is one of the graph", async () => {
    const config = newThread();
    await expect(
      around("failing").invoke({ item: "lamp", stock: 0 }, config),
    ).rejects.toThrow("OutOfStockError");
  });

  test.each([
    ["yes", "The letter: sent."],
    ["no", "The letter: refused."],
  ])("the answer %j reaches the remote graph", async (answer, report) => {
    const graph = workflow.compile({ checkpointer: new MemorySaver() });
    const config = {
      configurable: { thread_id: "of no uuid", url: server.url },
    };
    expect(await graph.invoke({ to: "Ada" }, config)).toMatchObject({
      __interrupt__: [{ value: QUESTION }],
    });
    expect(await graph.invoke(answering(answer), config)).toMatchObject({
      report,
    });
  });

  test("the remote thread is updated while the graph waits, and goes on from there", async () => {
    const graph = workflow.compile({ checkpointer: new MemorySaver() });
    const config = { configurable: { thread_id: "any", url: server.url } };
    const { letterThread } = await graph.invoke({ to: "Ada" }, config);
    const remote = new RemoteGraph({ graphId: "approval", url: server.url });
    const onThread = { configurable: { thread_id: letterThread } };
    await remote.updateState(onThread, { approved: true }, "approve");
    expect(await remote.getState(onThread)).toMatchObject({ next: ["send"] });
    const values = await graph.invoke(answering("whatever"), config);
    expect(values).toMatchObject({ log: ["written", "sent"] });
  });
});

describe("on the same server", () => {
  const server = useServer({ config: remoteGraphs });

  const payload = () => ({ config: { configurable: { url: server.url } } });

  test("a graph runs another one by its server, asks what it asks, and is answered", async () => {
    const { threads, runs } = server.client;
    const { thread_id } = await threads.create();
    const frames = await collect(
      runs.stream(thread_id, "secretary", {
        ...payload(),
        input: { to: "Ada" },
        streamMode: ["updates"],
        streamSubgraphs: true,
      }),
    );
    const below = frames.filter(({ event }) =>
      event.startsWith("updates|write:"),
    );
    expect(below[0]?.data).toMatchObject({ write: { log: ["written"] } });
    expect(dataOf(frames, "updates").at(-1)).toMatchObject({
      __interrupt__: [{ value: QUESTION }],
    });
    const waiting = await threads.get(thread_id);
    expect(waiting.status).toBe("interrupted");
    const { letterThread } = waiting.values as { letterThread: string };
    expect(letterThread).toMatch(UUID);
    expect(await threads.get(letterThread)).toMatchObject({
      status: "interrupted",
    });

    const values = await runs.wait(thread_id, "secretary", {
      ...payload(),
      command: { resume: "yes" },
    });
    expect(values).toMatchObject({
      log: ["written", "approved", "sent"],
      report: "The letter: sent.",
    });
    expect((await threads.get(thread_id)).status).toBe("idle");
    expect((await threads.get(letterThread)).status).toBe("idle");
    expect(await runs.list(letterThread)).toHaveLength(2);
  });
});
