/**
 * What an exception does: the run ends with status `error`, the thread shows
 * the message, and what the steps before it did is kept. A second run with
 * `"input": null` starts again at the node that failed.
 *
 * Input: `{ "item": "lamp", "stock": 0 }`
 */
import { Annotation, END, START, StateGraph } from "@langchain/langgraph";

const State = Annotation.Root({
  item: Annotation<string>,
  stock: Annotation<number>,
  price: Annotation<number>,
  receipt: Annotation<string>,
});

class OutOfStockError extends Error {
  override name = "OutOfStockError";
}

function ship({ item, stock, price }: typeof State.State) {
  if (stock < 1) throw new OutOfStockError(`No ${item} left`);
  return { receipt: `1 ${item}, ${price} euros` };
}

export const graph = new StateGraph(State)
  .addNode("quote", ({ item }) => ({ price: item.length * 10 }))
  .addNode("ship", ship)
  .addEdge(START, "quote")
  .addEdge("quote", "ship")
  .addEdge("ship", END)
  .compile();
