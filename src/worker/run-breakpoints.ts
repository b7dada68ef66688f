import type { StateSnapshot } from "@langchain/langgraph";
import type { RunExecution } from "../protocol/run-frames.ts";
import type { CompiledGraph } from "./graph-exports.ts";

type Breakpoint = "*" | string[] | null | undefined;

/**
 * Whether an earlier attempt of this run had come to a static breakpoint when
 * it died. To LangGraph, going on from there means that somebody let the graph
 * pass, and nobody has.
 */
export async function stoppedAtBreakpoint(
  graph: CompiledGraph,
  run: RunExecution,
): Promise<boolean> {
  const before: Breakpoint =
    run.kwargs.interrupt_before ?? graph.interruptBefore;
  const after: Breakpoint = run.kwargs.interrupt_after ?? graph.interruptAfter;
  if (!before?.length && !after?.length) return false;
  const [newest, previous] = await newestStates(graph, run.thread_id);
  if (newest === undefined || !isStepOf(newest, run)) return false;
  return (
    (newest.next.length > 0 && hits(before, newest.next)) ||
    (newest.next.length > 0 && hits(after, previous?.next ?? []))
  );
}

async function newestStates(
  graph: CompiledGraph,
  thread_id: string,
): Promise<StateSnapshot[]> {
  const config = { configurable: { thread_id, checkpoint_ns: "" } };
  const states = [];
  for await (const state of graph.getStateHistory(config, { limit: 2 }))
    states.push(state);
  return states;
}

/** What a run starts from is another's, and its input is no step. */
function isStepOf({ metadata }: StateSnapshot, run: RunExecution): boolean {
  const { source, run_id } = (metadata ?? {}) as {
    source?: string;
    run_id?: string;
  };
  return source === "loop" && run_id === run.run_id;
}

const hits = (breakpoint: Breakpoint, nodes: string[]): boolean =>
  breakpoint === "*"
    ? nodes.some((node) => !node.startsWith("__"))
    : nodes.some((node) => breakpoint?.includes(node));
