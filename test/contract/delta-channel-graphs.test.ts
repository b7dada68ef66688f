import {
  Annotation,
  DeltaChannel,
  MemorySaver,
  START,
  StateGraph,
} from "@langchain/langgraph";
import type { BaseCheckpointSaver } from "@langchain/langgraph-checkpoint";
import { describe, expect, it } from "vitest";
import {
  copyCheckpoints,
  deleteRunCheckpoints,
  pruneCheckpoints,
} from "../../src/storage/checkpoints.ts";
import { drivers } from "../support/databases.ts";
import { openSavers, type TestSavers } from "../support/savers.ts";
import {
  endRun,
  insertRunningRun,
  insertThread,
  type RunningRun,
} from "../support/worker-pipe.ts";

/** Order matters to it, so that a replay in another order shows. */
const append = (list: string[], writes: string[][]): string[] => [
  ...list,
  ...writes.flat(),
];

const State = Annotation.Root({
  log: () =>
    new DeltaChannel<string[], string[]>(append, { snapshotFrequency: 5 }),
  turn: Annotation<number>(),
});

const long = (text: string) => `${text} `.repeat(100);

function buildGraph(checkpointer: BaseCheckpointSaver) {
  return new StateGraph(State)
    .addNode("left", ({ turn }) => ({ log: [long(`left ${turn}`)] }))
    .addNode("right", ({ turn }) => ({ log: [long(`right ${turn}`)] }))
    .addNode("last", ({ turn }) => ({ log: [long(`last ${turn}`)] }))
    .addEdge(START, "left")
    .addEdge(START, "right")
    .addEdge(["left", "right"], "last")
    .compile({ checkpointer });
}

type Durability = "sync" | "async" | "exit";

async function turn(
  saver: BaseCheckpointSaver,
  threadId: string,
  { number, durability = "async" }: { number: number; durability?: Durability },
): Promise<void> {
  await buildGraph(saver).invoke(
    { turn: number, log: [long(`input ${number}`)] },
    { configurable: { thread_id: threadId }, durability },
  );
}

async function logOf(
  saver: BaseCheckpointSaver,
  threadId: string,
): Promise<string[]> {
  const config = { configurable: { thread_id: threadId } };
  const { values } = await buildGraph(saver).getState(config);
  return (values as { log: string[] }).log;
}

async function historyOf(
  saver: BaseCheckpointSaver,
  threadId: string,
): Promise<unknown[]> {
  const config = { configurable: { thread_id: threadId } };
  const logs: unknown[] = [];
  for await (const state of buildGraph(saver).getStateHistory(config))
    logs.push([state.metadata?.step, state.next, state.values]);
  return logs;
}

async function nextRun(
  { database }: TestSavers,
  run: RunningRun,
): Promise<RunningRun> {
  return database.transaction(async (tx) => {
    await endRun(tx, run.run_id);
    return insertRunningRun(tx, run.thread_id);
  });
}

describe.each(drivers())("delta channels on $name", (driver) => {
  it.each(["sync", "async", "exit"] as const)(
    "with durability %s every state is what LangGraph's own saver has",
    async (durability) => {
      await using savers = await openSavers(driver);
      const { thread_id } = savers.run;
      const reference = new MemorySaver();
      for (let number = 0; number < 6; number += 1) {
        await turn(savers.saver(), thread_id, { number, durability });
        await turn(reference, thread_id, { number, durability });
      }
      const expected = await historyOf(reference, thread_id);
      expect(await historyOf(savers.saver(), thread_id)).toEqual(expected);
      expect(await logOf(savers.saver(), thread_id)).toHaveLength(24);
    },
  );

  it("the state is the same after pruning and copying, and the thread goes on from there", async () => {
    await using savers = await openSavers(driver);
    const { database, run } = savers;
    const pruned: number[] = [];
    for (let number = 0; number < 8; number += 1) {
      await turn(savers.saver(), run.thread_id, { number });
      const before = await logOf(savers.saver(), run.thread_id);
      await database.transaction((tx) => pruneCheckpoints(tx, run.thread_id));
      expect(await logOf(savers.saver(), run.thread_id)).toEqual(before);
      pruned.push((await historyOf(savers.saver(), run.thread_id)).length);
    }
    // Ancestors up to the last snapshot stay, older ones do not.
    expect(Math.max(...pruned)).toBeLessThan(10);
    const copy = await database.transaction(async (tx) => {
      const threadId = await insertThread(tx);
      await copyCheckpoints(tx, run.thread_id, threadId);
      return threadId;
    });
    const log = await logOf(savers.saver(), run.thread_id);
    expect(log).toHaveLength(32);
    expect(await logOf(savers.saver(), copy)).toEqual(log);
  });

  it("deleting the newest run takes its part away, deleting an older one takes nothing from the state", async () => {
    await using savers = await openSavers(driver);
    const { database, run } = savers;
    const thread = run.thread_id;
    await turn(savers.saver(), thread, { number: 0 });
    const second = await nextRun(savers, run);
    await turn(savers.saver(second), thread, { number: 1 });
    const before = await historyOf(savers.saver(), thread);
    const third = await nextRun(savers, second);
    await turn(savers.saver(third), thread, { number: 2 });

    await database.transaction((tx) =>
      deleteRunCheckpoints(tx, thread, third.run_id),
    );
    expect(await historyOf(savers.saver(), thread)).toEqual(before);

    const log = await logOf(savers.saver(), thread);
    await database.transaction((tx) =>
      deleteRunCheckpoints(tx, thread, run.run_id),
    );
    expect(await logOf(savers.saver(), thread)).toEqual(log);
  });
});
