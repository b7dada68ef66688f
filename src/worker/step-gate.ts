import { setImmediate as nextTurn } from "node:timers/promises";

/**
 * What a finished step has stored leaves the process before the next one
 * starts: a node may block the process for minutes, and when it is killed in
 * them the steps before are not to be repeated. LangGraph itself goes on to
 * the next step first, and stores on the side.
 *
 * Nobody passes it once the run is aborted: nodes that wait here work not yet,
 * so the end of the run does not wait for them, and they would begin beside the
 * next run of the thread.
 */
export class StepGate {
  readonly #sendNow: () => void;
  readonly #signal: AbortSignal;
  #hasStepped = false;
  #opening: Promise<void> | null = null;

  constructor(sendNow: () => void, signal: AbortSignal) {
    this.#sendNow = sendNow;
    this.#signal = signal;
  }

  /** Null when there is nothing to wait for: nothing has been done yet. Rejects when the run is aborted meanwhile. */
  enter(): Promise<void> | null {
    if (this.#hasStepped) {
      this.#hasStepped = false;
      // By the end of this turn LangGraph has handed over what it stores.
      this.#opening = nextTurn().then(() => {
        this.#opening = null;
        this.#sendNow();
        this.#signal.throwIfAborted();
      });
    }
    return this.#opening;
  }

  leave(): void {
    this.#hasStepped = true;
  }
}

/** What of LangGraph's nodes and runnables is needed here. */
interface Node {
  getNode(): Runnable | undefined;
}
interface Runnable {
  invoke(input: unknown, config?: unknown): Promise<unknown>;
  /** A graph as a node: its own nodes are not gated. */
  lg_is_pregel?: boolean;
}

/** Hands the input out before the first step. */
const START = "__start__";

/** The same nodes, each of which passes the gate before it is run. */
export function gatedNodes<Nodes extends object>(
  nodes: Nodes,
  gate: StepGate,
): Nodes {
  const gated = Object.entries(nodes as Record<string, Node>).map(
    ([name, node]) => [name, name === START ? node : gatedNode(node, gate)],
  );
  return Object.fromEntries(gated) as Nodes;
}

const gatedNode = (node: Node, gate: StepGate): Node =>
  Object.create(node, {
    getNode: { value: () => gatedRunnable(node.getNode(), gate) },
  }) as Node;

function gatedRunnable(
  runnable: Runnable | undefined,
  gate: StepGate,
): Runnable | undefined {
  if (runnable === undefined || runnable.lg_is_pregel === true) return runnable;
  const invoke: Runnable["invoke"] = async (input, config) => {
    await gate.enter();
    const result = await runnable.invoke(input, config);
    gate.leave();
    return result;
  };
  return Object.create(runnable, { invoke: { value: invoke } }) as Runnable;
}
