/**
 * The store outlives threads: what a user said in one thread is known in the
 * next. Who the user is comes with the run: `{ "config": { "configurable": { "user_id": "ada" } } }`.
 *
 * Input: `{ "fact": "likes tea" }`, later `{ "question": "What do you know?" }`
 */
import {
  Annotation,
  END,
  START,
  StateGraph,
  type LangGraphRunnableConfig,
} from "@langchain/langgraph";

const State = Annotation.Root({
  fact: Annotation<string | undefined>,
  question: Annotation<string | undefined>,
  answer: Annotation<string>,
});

const namespaceOf = ({ configurable }: LangGraphRunnableConfig) => [
  "facts",
  String(configurable?.user_id ?? "anonymous"),
];

/** The fact is its own key, so saying a thing twice stores it once. */
async function remember(
  { fact }: typeof State.State,
  config: LangGraphRunnableConfig,
) {
  if (fact) await config.store?.put(namespaceOf(config), fact, { fact });
  return { fact: undefined };
}

async function recall(
  _state: typeof State.State,
  config: LangGraphRunnableConfig,
) {
  const items = (await config.store?.search(namespaceOf(config))) ?? [];
  const facts = items.map(({ value }) => String(value.fact)).sort();
  return { answer: facts.length ? facts.join("; ") : "Nothing yet." };
}

export const graph = new StateGraph(State)
  .addNode("remember", remember)
  .addNode("recall", recall)
  .addEdge(START, "remember")
  .addEdge("remember", "recall")
  .addEdge("recall", END)
  .compile();
