import type { Command } from "@langchain/langgraph";

/*
 * LangGraph looks nodes up without asking whether they are the graph's own:
 * what every object inherits, such as `constructor`, is a node to it, and a
 * packet to one makes a state that cannot be read any more. What is sent to a
 * node that there is not, nobody receives, and nobody is told.
 */

interface Graph {
  nodes: object;
}

/** Leaves names that nobody has to LangGraph, which knows some more than the nodes. */
export function requireNode({ nodes }: Graph, name: string): void {
  if (name in nodes && !Object.hasOwn(nodes, name)) throw unknown(name);
}

/** Throws when a command goes to a node that the graph does not have. */
export function requireDestinations({ nodes }: Graph, command: Command): void {
  const { goto = [] } = command;
  for (const to of Array.isArray(goto) ? goto : [goto]) {
    const name = typeof to === "string" ? to : to.node;
    if (name !== "__end__" && !Object.hasOwn(nodes, name))
      throw unknown(name, "command.goto: ");
  }
}

const unknown = (name: string, field = ""): Error =>
  new TypeError(`${field}Node "${name}" does not exist`);
