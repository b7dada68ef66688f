import { Annotation, StateGraph } from "@langchain/langgraph";
import type { CompiledGraph } from "./graph-exports.ts";

/*
 * Which nodes are still at work, by run. When a run is aborted LangGraph lets
 * go of nodes that do not look at the signal, and they go on: a run that has
 * "ended" would call its tools while the next one of its thread runs already.
 * So the end of an aborted run waits for them here, and the server ends the
 * process when that takes too long.
 *
 * LangGraph has no hook for it: callbacks are told of the abort, not of the
 * node. What calls a node are two methods of one class, which are wrapped; where
 * a version of LangGraph has them no more, nobody is waited for.
 */

/** The methods of LangGraph's `RunnableCallable` that call a node: the second with tracing, when the first is left at the abort. */
const METHODS = ["invoke", "_tracedInvoke"] as const;

type Invoke = (
  input: unknown,
  config?: { configurable?: Record<string, unknown> },
  ...rest: unknown[]
) => Promise<unknown>;

type Callable = Record<(typeof METHODS)[number], Invoke>;

interface WorkingNodes {
  count: number;
  waiting: (() => void)[];
}

const working = new Map<string, WorkingNodes>();
const watched = new WeakSet<object>();

/** Resolves when no node of the run is at work. */
export async function nodesSettled(runId: string): Promise<void> {
  const nodes = working.get(runId);
  if (nodes === undefined) return;
  await new Promise<void>((resolve) => nodes.waiting.push(resolve));
}

/** For a graph that was loaded: other packages have nodes of their own classes. */
export function watchNodes(graph: CompiledGraph): void {
  const { nodes } = graph as unknown as { nodes?: Record<string, unknown> };
  for (const node of Object.values(nodes ?? {})) {
    const { bound } = node as { bound?: object };
    if (bound === undefined) continue;
    if ("nodes" in bound) watchNodes(bound as CompiledGraph);
    else watchClassOf(bound);
  }
}

/** Only what is a callable of LangGraph or a copy of one; other runnables end in their own time. */
function watchClassOf(callable: object): void {
  let owner: object | null = callable;
  while (owner !== null && !Object.hasOwn(owner, "_tracedInvoke"))
    owner = Object.getPrototypeOf(owner) as object | null;
  if (owner === null || watched.has(owner)) return;
  watched.add(owner);
  for (const method of METHODS) watchMethod(owner as Callable, method);
}

function watchMethod(owner: Callable, method: keyof Callable): void {
  const original = owner[method];
  owner[method] = function (this: unknown, input, config, ...rest) {
    const call = original.call(this, input, config, ...rest);
    const runId = config?.configurable?.["run_id"];
    if (typeof runId === "string") count(runId, call);
    return call;
  };
}

function count(runId: string, call: Promise<unknown>): void {
  const nodes = working.get(runId) ?? { count: 0, waiting: [] };
  working.set(runId, nodes);
  nodes.count += 1;
  const settled = () => {
    nodes.count -= 1;
    if (nodes.count > 0) return;
    working.delete(runId);
    for (const resolve of nodes.waiting) resolve();
  };
  call.then(settled, settled);
}

// The nodes of graphs that a node makes or calls itself are of LangGraph's own class.
watchNodes(
  new StateGraph(Annotation.Root({ value: Annotation<null> }))
    .addNode("probe", () => ({}))
    .addEdge("__start__", "probe")
    .compile() as unknown as CompiledGraph,
);
