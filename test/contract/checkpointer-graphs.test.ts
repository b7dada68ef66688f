import {
  AIMessage,
  HumanMessage,
  type BaseMessage,
} from "@langchain/core/messages";
import type { BaseCheckpointSaver } from "@langchain/langgraph-checkpoint";
import {
  Annotation,
  Command,
  END,
  interrupt,
  MemorySaver,
  messagesStateReducer,
  Send,
  START,
  StateGraph,
} from "@langchain/langgraph";
import { describe, expect, it } from "vitest";
import { drivers } from "../support/databases.ts";
import { openSavers } from "../support/savers.ts";

const State = Annotation.Root({
  messages: Annotation<BaseMessage[]>({
    reducer: messagesStateReducer,
    default: () => [],
  }),
  results: Annotation<string[]>({
    reducer: (all, added) => [...all, ...added].sort(),
    default: () => [],
  }),
  index: Annotation<number>({
    reducer: (_, added) => added,
    default: () => 0,
  }),
});

/** Turns, a fan-out to subgraphs that save at the same time, and a question to the user. */
function buildGraph(checkpointer: BaseCheckpointSaver) {
  const subgraph = new StateGraph(State)
    .addNode("work", ({ index }) => ({ results: [`${index} worked`] }))
    .addNode("check", ({ index }) => ({ results: [`${index} checked`] }))
    .addEdge(START, "work")
    .addEdge("work", "check")
    .addEdge("check", END)
    .compile();
  return new StateGraph(State)
    .addNode("answer", ({ messages }) => ({
      messages: [
        new AIMessage({
          id: `answer ${messages.length}`,
          content: `${messages.length} `.repeat(100),
        }),
      ],
    }))
    .addNode("child", subgraph)
    .addNode("ask", () => ({ results: [String(interrupt("go on?"))] }))
    .addEdge(START, "answer")
    .addConditionalEdges(
      "answer",
      () => [0, 1, 2, 3].map((index) => new Send("child", { index })),
      ["child"],
    )
    .addEdge("child", "ask")
    .addEdge("ask", END)
    .compile({ checkpointer });
}

type Graph = ReturnType<typeof buildGraph>;

async function converse(graph: Graph, threadId: string): Promise<void> {
  const config = { configurable: { thread_id: threadId } };
  for (let turn = 0; turn < 3; turn += 1) {
    const question = new HumanMessage({
      id: `question ${turn}`,
      content: "?".repeat(600),
    });
    await graph.invoke({ messages: [question] }, config);
    await graph.invoke(new Command({ resume: `yes ${turn}` }), config);
  }
  await graph.updateState(config, { results: ["edited"] }, "ask");
}

/** What a user sees of the history, without the ids and times that differ by chance. */
async function shownHistory(
  graph: Graph,
  threadId: string,
): Promise<unknown[]> {
  const shown: unknown[] = [];
  const config = { configurable: { thread_id: threadId } };
  for await (const state of graph.getStateHistory(config))
    shown.push({
      values: state.values,
      next: state.next,
      source: state.metadata?.source,
      step: state.metadata?.step,
      interrupts: state.tasks.map(({ name, interrupts }) => [
        name,
        interrupts.map(({ value }) => value),
      ]),
    });
  return JSON.parse(JSON.stringify(shown)) as unknown[];
}

describe.each(drivers())("graphs that save on $name", (driver) => {
  it("a graph with subgraphs and interrupts has the same history as with LangGraph's own saver", async () => {
    await using savers = await openSavers(driver);
    const { thread_id } = savers.run;
    const reference = buildGraph(new MemorySaver());
    await converse(buildGraph(savers.saver()), thread_id);
    await converse(reference, thread_id);
    const expected = await shownHistory(reference, thread_id);
    expect(expected.length).toBeGreaterThan(15);
    const graph = buildGraph(savers.saver());
    expect(await shownHistory(graph, thread_id)).toEqual(expected);
  });

  it("a graph goes on where a saver that is gone has left it", async () => {
    await using savers = await openSavers(driver);
    const { thread_id } = savers.run;
    const config = { configurable: { thread_id } };
    await buildGraph(savers.saver()).invoke({ messages: [] }, config);
    const result = await buildGraph(savers.saver()).invoke(
      new Command({ resume: "yes" }),
      config,
    );
    expect(result.results).toContain("yes");
    expect(result.results).toHaveLength(9);
    expect(result.messages).toEqual([expect.any(AIMessage)]);
  });

  it.each(["sync", "async", "exit"] as const)(
    "with durability %s the last state is saved when the graph ends",
    async (durability) => {
      await using savers = await openSavers(driver);
      const config = {
        configurable: { thread_id: savers.run.thread_id },
        durability,
      };
      await buildGraph(savers.saver()).invoke({ messages: [] }, config);
      const { next, values } = await buildGraph(savers.saver()).getState(
        config,
      );
      expect(next).toEqual(["ask"]);
      expect((values as typeof State.State).results).toHaveLength(8);
    },
  );
});
