/**
 * Several questions at once, each with an id. Answer all of them, or some:
 * `{ "command": { "resume": { "<interrupt id>": "yes", … } } }`.
 *
 * Input: `{ "amounts": [20, 300] }`
 */
import { END, START, Send, StateGraph, interrupt } from "@langchain/langgraph";
import { registry } from "@langchain/langgraph/zod";
import { z } from "zod";

const State = z.object({
  amounts: z.array(z.number()),
  decisions: z.array(z.string()).register(registry, {
    reducer: { fn: (all: string[], more: string[]) => all.concat(more) },
    default: () => [],
  }),
});

function ask({ amount }: { amount: number }) {
  const answer: unknown = interrupt({ question: `Pay ${amount}?`, amount });
  return { decisions: [`${amount}: ${String(answer)}`] };
}

export const graph = new StateGraph(State)
  .addNode("ask", ask)
  .addConditionalEdges(
    START,
    ({ amounts }) => amounts.map((amount) => new Send("ask", { amount })),
    ["ask"],
  )
  .addEdge("ask", END)
  .compile();
