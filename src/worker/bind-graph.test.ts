import {
  Annotation,
  entrypoint,
  InMemoryStore,
  MemorySaver,
  START,
  StateGraph,
} from "@langchain/langgraph";
import { describe, expect, it } from "vitest";
import { bindGraph } from "./bind-graph.ts";
import type { CompiledGraph } from "./graph-exports.ts";

const State = Annotation.Root({ value: Annotation<string> });

const compile = (checkpointer?: MemorySaver) =>
  new StateGraph(State)
    .addNode("set", () => ({ value: "set" }))
    .addEdge(START, "set")
    .compile(checkpointer && { checkpointer });

/** It is private, and the constructor of LangGraph appends to it. */
const triggersOf = (graph: unknown): string =>
  JSON.stringify((graph as { triggerToNodes: unknown }).triggerToNodes);

const bindings = () => ({
  checkpointer: new MemorySaver(),
  store: new InMemoryStore(),
});

describe("bindGraph", () => {
  it("leaves the shared graph as it is, however often it is bound", () => {
    const graph = compile() as unknown as CompiledGraph;
    const before = triggersOf(graph);
    const channels = { ...graph.channels };
    for (let time = 0; time < 3; time += 1) bindGraph(graph, bindings());
    expect(graph.checkpointer).toBeUndefined();
    expect(graph.store).toBeUndefined();
    expect(triggersOf(graph)).toBe(before);
    expect({ ...graph.channels }).toEqual(channels);
    for (const name of Object.keys(channels))
      expect(graph.channels[name]).toBe(channels[name]);
  });

  it("overrides a checkpointer that the user compiled in", async () => {
    const own = new MemorySaver();
    const { checkpointer, store } = bindings();
    const graph = compile(own) as unknown as CompiledGraph;
    const bound = bindGraph(graph, { checkpointer, store });
    const config = { configurable: { thread_id: "t" } };
    await bound.invoke({ value: "" }, config);
    expect(await own.getTuple(config)).toBeUndefined();
    expect((await bound.getState(config)).values).toEqual({ value: "set" });
  });

  it("keeps config and name, and all methods of a graph", async () => {
    const graph = compile().withConfig({ recursionLimit: 7, tags: ["mine"] });
    graph.name = "named";
    const bound = bindGraph(graph as unknown as CompiledGraph, bindings());
    expect(bound.config).toMatchObject({ recursionLimit: 7, tags: ["mine"] });
    expect(bound.getName()).toBe("named");
    const config = { configurable: { thread_id: "t" } };
    const events = await bound.streamEvents(
      { value: "" },
      { ...config, version: "v3" },
    );
    for await (const _event of events) continue;
    expect((await bound.getState(config)).values).toEqual({ value: "set" });
  });

  it("binds a graph of the functional API", async () => {
    const graph = entrypoint("work", async (input: number) => input + 1);
    const bound = bindGraph(graph as unknown as CompiledGraph, bindings());
    expect(await bound.invoke(1, { configurable: { thread_id: "t" } })).toBe(2);
  });
});
