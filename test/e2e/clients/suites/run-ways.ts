import type { Client } from "@langchain/langgraph-sdk";
import { collect, dataOf } from "../../../support/sdk.ts";
import type { Driven } from "./driven.ts";

/** The three methods that start a run. They take the same options. */
export const WAYS = ["create", "wait", "stream"] as const;
export type Way = (typeof WAYS)[number];

type Payload = NonNullable<Parameters<Client["runs"]["create"]>[2]> &
  NonNullable<Parameters<Client["runs"]["wait"]>[2]>;
export type RunOptions = Partial<Payload> & { strictResume?: boolean };

export interface Execution {
  way: Way;
  /** Null is a run without a thread. */
  threadId: string | null;
  graph: string;
  options: RunOptions;
}

/** Starts a run in one of the ways, and gives its last values when it has ended. */
export async function execute(
  driven: Driven,
  { way, threadId, graph, options }: Execution,
): Promise<unknown> {
  const { runs } = driven.client;
  if (way === "wait") return runs.wait(threadId as string, graph, options);
  if (way === "stream") {
    const stream = runs.stream(threadId as string, graph, options);
    return dataOf(await collect(stream), "values").at(-1);
  }
  const run = await runs.create(threadId as string, graph, options);
  return runs.join(run.thread_id, run.run_id);
}

/** A thread of its own for the run; gives its id and the run as the server lists it. */
export async function executed(
  driven: Driven,
  { way, graph, options }: Omit<Execution, "threadId">,
) {
  const { threads, runs } = driven.client;
  const threadId = (await threads.create()).thread_id;
  const values = await execute(driven, { way, threadId, graph, options });
  const [run] = await runs.list(threadId, { limit: 1 });
  if (!run) throw new Error("the thread has no run");
  return { threadId, values, run: run as typeof run & Kwargs };
}

/** Not in the types of the SDK: the request as the server has kept it. */
interface Kwargs {
  kwargs: Record<string, unknown> & {
    config: { configurable: Record<string, unknown> };
  };
}
