/**
 * Three steps that build on each other, for looking back and trying again:
 * change what one step has made, and the steps after it make something else of it.
 *
 * Input: `{ "hero": "a fox" }`
 */
import { Annotation, END, START, StateGraph } from "@langchain/langgraph";

const State = Annotation.Root({
  hero: Annotation<string>,
  place: Annotation<string>,
  plot: Annotation<string>,
  story: Annotation<string>,
});

type Story = typeof State.State;

const PLACES = ["a lighthouse", "a night train", "an empty museum"];

/** Stands for a model's choice: the same hero always comes to the same place. */
const choosePlace = ({ hero }: Story) => ({
  place: PLACES[hero.length % PLACES.length],
});

const plan = ({ hero, place }: Story) => ({
  plot: `${hero} is locked in ${place}`,
});

const tell = ({ plot }: Story) => ({
  story: `Once upon a time ${plot}. By morning there is a way out.`,
});

export const graph = new StateGraph(State)
  .addNode("choose", choosePlace)
  .addNode("plan", plan)
  .addNode("tell", tell)
  .addEdge(START, "choose")
  .addEdge("choose", "plan")
  .addEdge("plan", "tell")
  .addEdge("tell", END)
  .compile();
