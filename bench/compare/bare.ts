/*
 * The floor: the graph alone in one process, with LangGraph's in-memory saver
 * and no server. Prints one JSON line: concurrency -> latencies.
 *
 *   node --import @oxc-node/core/register bench/compare/bare.ts <project> <seconds> <warmUpSeconds>
 */
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { MemorySaver } from "@langchain/langgraph";
import { RUN_INPUT } from "./cases.ts";
import { summary, type Latencies } from "./load.ts";

interface Graphs {
  oneNodeBuilder: {
    compile(options: object): {
      invoke(input: object, config: object): Promise<unknown>;
    };
  };
}

const [project = "", seconds = "4", warmUp = "2"] = process.argv.slice(2);
const { oneNodeBuilder } = (await import(
  pathToFileURL(join(project, "graphs.mjs")).href
)) as Graphs;

async function measure(
  concurrency: number,
  duration: number,
): Promise<Latencies> {
  const graph = oneNodeBuilder.compile({ checkpointer: new MemorySaver() });
  const latencies: number[] = [];
  const startedAt = performance.now();
  const endsAt = startedAt + duration * 1000;
  const client = async (): Promise<void> => {
    while (performance.now() < endsAt) {
      const invokedAt = performance.now();
      await graph.invoke(RUN_INPUT, {
        configurable: { thread_id: randomUUID() },
      });
      latencies.push(performance.now() - invokedAt);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, client));
  return summary(latencies, (performance.now() - startedAt) / 1000);
}

await measure(1, Number(warmUp));
const one = await measure(1, Number(seconds));
const many = await measure(32, Number(seconds));
console.log(JSON.stringify({ 1: one, 32: many }));
