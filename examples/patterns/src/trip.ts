/**
 * A graph in a graph. The subgraph `booking` has a state of its own, shares
 * `city` and `booked` with its parent, and asks before it books. Ask for its
 * state with `?subgraphs=true`, for its frames with `"stream_subgraphs": true`.
 *
 * Input: `{ "wish": "a weekend in Porto" }`, then `{ "command": { "resume": "window seat" } }`
 */
import { END, START, StateGraph, interrupt } from "@langchain/langgraph";
import { z } from "zod";

const Booking = z.object({
  city: z.string(),
  train: z.string().optional(),
  booked: z.string().optional(),
});

const booking = new StateGraph(Booking)
  .addNode("search", ({ city }) => ({ train: `the 9:30 to ${city}` }))
  .addNode("book", ({ train }) => {
    const seat: unknown = interrupt({ question: `Which seat on ${train}?` });
    return { booked: `${String(seat)} on ${train}` };
  })
  .addEdge(START, "search")
  .addEdge("search", "book")
  .addEdge("book", END)
  .compile();

const Trip = z.object({
  wish: z.string(),
  city: z.string().optional(),
  booked: z.string().optional(),
  summary: z.string().optional(),
});

export const graph = new StateGraph(Trip)
  .addNode("choose", ({ wish }) => ({ city: wish.split(" ").at(-1) ?? "" }))
  .addNode("booking", booking)
  .addNode("summarize", ({ city, booked }) => ({
    summary: `You are going to ${city}: ${booked}.`,
  }))
  .addEdge(START, "choose")
  .addEdge("choose", "booking")
  .addEdge("booking", "summarize")
  .addEdge("summarize", END)
  .compile();
