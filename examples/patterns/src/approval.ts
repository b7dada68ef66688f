/**
 * A person decides. `interrupt()` ends the run and leaves its question in the
 * thread; the next run answers it: `{ "command": { "resume": "yes" } }`.
 *
 * Input: `{ "to": "Ada" }`
 */
import {
  Annotation,
  END,
  START,
  StateGraph,
  interrupt,
} from "@langchain/langgraph";

const State = Annotation.Root({
  to: Annotation<string>,
  letter: Annotation<string>,
  approved: Annotation<boolean>,
  log: Annotation<string[]>({
    reducer: (log, more) => log.concat(more),
    default: () => [],
  }),
});

const write = ({ to }: typeof State.State) => ({
  letter: `Dear ${to}, please find the report attached.`,
  log: ["written"],
});

/** Runs again from its first line when it is answered, so keep what must happen once in another node. */
function approve({ letter }: typeof State.State) {
  const answer: unknown = interrupt({ question: "Send this letter?", letter });
  const approved = answer === "yes" || answer === true;
  return { approved, log: [approved ? "approved" : "refused"] };
}

const send = () => ({ log: ["sent"] });

export const graph = new StateGraph(State)
  .addNode("write", write)
  .addNode("approve", approve)
  .addNode("send", send)
  .addEdge(START, "write")
  .addEdge("write", "approve")
  .addConditionalEdges("approve", ({ approved }) => (approved ? "send" : END), [
    "send",
    END,
  ])
  .addEdge("send", END)
  .compile();
