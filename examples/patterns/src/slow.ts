/**
 * Work that takes time: `steps` steps of `seconds` each, with a `custom` event
 * per step. Every finished step is stored: stop the server in the middle, start it
 * again, and the run goes on with the step it was at.
 *
 * Input: `{ "steps": 5, "seconds": 1 }`
 */
import { setTimeout as delay } from "node:timers/promises";
import {
  Annotation,
  END,
  START,
  StateGraph,
  type LangGraphRunnableConfig,
} from "@langchain/langgraph";

const State = Annotation.Root({
  steps: Annotation<number>,
  seconds: Annotation<number>,
  done: Annotation<number[]>({
    reducer: (done, more) => done.concat(more),
    default: () => [],
  }),
});

/** Passing the signal on is what lets a cancel take effect at once. */
async function work(
  { steps, seconds, done }: typeof State.State,
  config: LangGraphRunnableConfig,
) {
  const step = done.length + 1;
  config.writer?.({ progress: `step ${step} of ${steps}` });
  await delay(seconds * 1000, undefined, { signal: config.signal });
  return { done: [step] };
}

export const graph = new StateGraph(State)
  .addNode("work", work)
  .addEdge(START, "work")
  .addConditionalEdges(
    "work",
    ({ steps, done }) => (done.length < steps ? "work" : END),
    ["work", END],
  )
  .compile();
