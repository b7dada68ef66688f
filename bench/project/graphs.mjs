// The graphs that both servers run. Copied into a fresh folder beside the node_modules of each.
import {
  Annotation,
  MessagesAnnotation,
  StateGraph,
} from "@langchain/langgraph";

const Counter = Annotation.Root({ text: Annotation(), count: Annotation() });

const one = new StateGraph(Counter)
  .addNode("answer", ({ text, count }) => ({ text, count: count + 1 }))
  .addEdge("__start__", "answer")
  .addEdge("answer", "__end__");

/** As little as a graph can do: what is measured is the server around it. */
export const oneNode = one.compile();

/** The same graph, for whoever compiles it with a checkpointer of their own. */
export const oneNodeBuilder = one;

/** A turn of a conversation: a message in, one of the same length out. */
export const chat = new StateGraph(MessagesAnnotation)
  .addNode("answer", ({ messages }) => ({
    messages: [{ role: "assistant", content: messages.at(-1).content }],
  }))
  .addEdge("__start__", "answer")
  .addEdge("answer", "__end__")
  .compile();

/** Blocks the CPU of whatever process it runs in. */
export const blocks = new StateGraph(Counter)
  .addNode("block", ({ count = 1000 }) => {
    const until = Date.now() + count;
    while (Date.now() < until);
    return { text: "done" };
  })
  .addEdge("__start__", "block")
  .addEdge("block", "__end__")
  .compile();

const graphOf = (node) =>
  new StateGraph(Counter)
    .addNode("node", node)
    .addEdge("__start__", "node")
    .addEdge("node", "__end__")
    .compile();

/** Streams as many chunks as it is asked for, each in a turn of its own as a model's tokens come. */
export const chunks = graphOf(async ({ count }, { writer }) => {
  for (let index = 0; index < count; index += 1) {
    writer({ index, text: "a token or so" });
    await new Promise(setImmediate);
  }
  return { text: "done" };
});

/** Does nothing for as many milliseconds as it is asked for. */
export const sleeps = graphOf(async ({ count }) => {
  await new Promise((resolve) => setTimeout(resolve, count));
  return { text: "done" };
});

/** As many steps as it is asked for, each long enough to be stored for itself. */
export const steps = new StateGraph(Counter)
  .addNode("step", async ({ count }) => {
    await new Promise((resolve) => setTimeout(resolve, 100));
    return { count: count - 1 };
  })
  .addEdge("__start__", "step")
  .addConditionalEdges("step", ({ count }) => (count > 0 ? "step" : "__end__"))
  .compile();

const Times = Annotation.Root({ startedAt: Annotation() });

/** When its node began. */
export const clock = new StateGraph(Times)
  .addNode("node", () => ({
    startedAt: performance.timeOrigin + performance.now(),
  }))
  .addEdge("__start__", "node")
  .addEdge("node", "__end__")
  .compile();
