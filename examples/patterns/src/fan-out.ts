/**
 * `Send` starts a task per word; all of them run in the same step, and their
 * results are put together in the order of the words, not of their ends.
 *
 * Input: `{ "text": "many hands make light work" }`
 */
import { END, START, Send, StateGraph } from "@langchain/langgraph";
import { registry } from "@langchain/langgraph/zod";
import { z } from "zod";

const State = z.object({
  text: z.string(),
  lengths: z.array(z.number()).register(registry, {
    reducer: { fn: (all: number[], more: number[]) => all.concat(more) },
    default: () => [],
  }),
  total: z.number().optional(),
});

const wordsOf = (text: string) => text.split(/\s+/).filter(Boolean);

export const graph = new StateGraph(State)
  .addNode("measure", ({ word }: { word: string }) => ({
    lengths: [word.length],
  }))
  .addNode("sum", ({ lengths }) => ({
    total: lengths.reduce((sum, length) => sum + length, 0),
  }))
  .addConditionalEdges(
    START,
    ({ text }) => wordsOf(text).map((word) => new Send("measure", { word })),
    ["measure"],
  )
  .addEdge("measure", "sum")
  .addEdge("sum", END)
  .compile();
