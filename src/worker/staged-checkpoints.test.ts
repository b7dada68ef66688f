import {
  BaseCheckpointSaver,
  emptyCheckpoint,
  uuid6,
  type Checkpoint,
} from "@langchain/langgraph-checkpoint";
import { describe, expect, it } from "vitest";
import { SpoolCheckpointer, type CheckpointPort } from "./checkpointer.ts";
import { stagedPort } from "./staged-checkpoints.ts";

const THREAD = "0199a2c4-0000-7000-8000-000000000001";
const WORDS = Array.from({ length: 200 }, (_, index) =>
  `word ${index} `.repeat(9),
);

const at = (checkpoint_id?: string, checkpoint_ns = "") => ({
  configurable: { thread_id: THREAD, checkpoint_ns, checkpoint_id },
});

/** A chain of checkpoints, each with a pending write; the first and the fifth hold the value that the writes add to. */
async function fill(
  port: (step: number) => CheckpointPort,
  ids: readonly string[],
): Promise<void> {
  for (const [step, id] of ids.entries()) {
    const saver = new SpoolCheckpointer(port(step));
    const holdsValue = step === 0 || step === 4;
    const checkpoint: Checkpoint = {
      ...emptyCheckpoint(),
      id,
      channel_values: {
        step,
        ...(holdsValue ? { words: WORDS.slice(0, 100 + step) } : {}),
      },
    };
    await saver.put(
      at(ids[step - 1]),
      checkpoint,
      { source: "loop", step, parents: {}, parity: step % 2 } as never,
      { step: 1, words: 1 },
    );
    await saver.putWrites(
      at(id),
      [["words", [`after ${step}`]]],
      `task-${step}`,
    );
  }
}

const ids = Array.from({ length: 8 }, (_, index) => uuid6(index));
const splits = ids.map((_, index) => index).concat(ids.length);

/** The first `split` checkpoints are in the base, the others are staged. */
async function split(count: number) {
  const base = stagedPort(null);
  const staged = stagedPort(base);
  await fill((step) => (step < count ? base : staged), ids);
  return { base, staged };
}

const idsOf = async (port: CheckpointPort, query: object) => {
  const { checkpoints } = await port.read({ thread_id: THREAD, ...query });
  return checkpoints.map(({ record }) => record.checkpoint_id);
};

describe("staged checkpoints", () => {
  const newestFirst = ids.toReversed();

  it.each(splits)(
    "are listed with the stored ones, newest first, with %i of them stored",
    async (count) => {
      const { staged } = await split(count);
      expect(await idsOf(staged, {})).toEqual(newestFirst);
      expect(await idsOf(staged, { limit: 3 })).toEqual(
        newestFirst.slice(0, 3),
      );
      expect(await idsOf(staged, { before: ids[4] })).toEqual(
        newestFirst.slice(4),
      );
      expect(await idsOf(staged, { checkpoint_id: ids[2] })).toEqual([ids[2]]);
      expect(await idsOf(staged, { filter: { parity: 1 }, limit: 3 })).toEqual([
        ids[7],
        ids[5],
        ids[3],
      ]);
      expect(await idsOf(staged, { checkpoint_ns: "sub:1" })).toEqual([]);
    },
  );

  it("are all found by a saver although the base answers in parts", async () => {
    const { base, staged } = await split(4);
    const inParts = stagedPort({
      ...base,
      read: (query) => base.read({ ...query, limit: 1 }),
    });
    for (const write of staged.writes) await inParts.write(write);
    const found: string[] = [];
    for await (const { checkpoint } of new SpoolCheckpointer(inParts).list(
      at(),
    ))
      found.push(checkpoint.id);
    expect(found).toEqual(newestFirst);
  });

  it("leave the base as it is", async () => {
    const { base } = await split(3);
    expect(await idsOf(base, {})).toEqual(newestFirst.slice(5));
  });

  it("come with every value that was not asked to be left out", async () => {
    const { staged } = await split(2);
    const saver = new SpoolCheckpointer(staged);
    const stored = await saver.getTuple(at(ids[0]));
    const both = await saver.getTuple(at(ids[4]));
    expect(stored?.checkpoint.channel_values["words"]).toEqual(
      WORDS.slice(0, 100),
    );
    expect(both?.checkpoint.channel_values["words"]).toEqual(
      WORDS.slice(0, 104),
    );
  });

  it("carry only what the saver does not know to be stored", async () => {
    const { base } = await split(ids.length);
    const port = stagedPort(base);
    const saver = new SpoolCheckpointer(port);
    const tuple = await saver.getTuple(at(ids[4]));
    const words = tuple?.checkpoint.channel_values["words"] as string[];
    await saver.put(
      at(ids[7]),
      {
        ...emptyCheckpoint(),
        id: uuid6(9),
        channel_values: {
          words: [...words, "one more ".repeat(20)],
        },
      },
      { source: "update", step: 8, parents: {} },
      { words: 2 },
    );
    const [write] = port.writes;
    const sent = write?.kind === "put" ? write.values : [];
    expect(sent.filter(({ type }) => type === "json")).toHaveLength(1);
  });

  it("keep the first of two writes of a task, but the last of its errors", async () => {
    const { staged } = await split(ids.length);
    const saver = new SpoolCheckpointer(staged);
    await saver.putWrites(at(ids[7]), [["words", ["late"]]], "task-7");
    await saver.putWrites(at(ids[7]), [["__error__", "one"]], "task-7");
    await saver.putWrites(at(ids[7]), [["__error__", "two"]], "task-7");
    const tuple = await saver.getTuple(at());
    expect(tuple?.pendingWrites).toEqual([
      ["task-7", "__error__", "two"],
      ["task-7", "words", ["after 7"]],
    ]);
  });

  it.each(splits)(
    "give delta channels the history that their ancestors make up, with %i of them stored",
    async (count) => {
      const { staged } = await split(count);
      const saver = new SpoolCheckpointer(staged);
      for (const id of [...ids, undefined]) {
        const question = { config: at(id), channels: ["words", "nothing"] };
        expect(await saver.getDeltaChannelHistory(question)).toEqual(
          await BaseCheckpointSaver.prototype.getDeltaChannelHistory.call(
            saver,
            question,
          ),
        );
      }
    },
  );

  it("count writes to stored ancestors in the history of a delta channel", async () => {
    const { staged } = await split(6);
    const saver = new SpoolCheckpointer(staged);
    await saver.putWrites(at(ids[5]), [["words", ["staged"]]], "task-8");
    const { words } = await saver.getDeltaChannelHistory({
      config: at(),
      channels: ["words"],
    });
    expect(words?.writes.map(([, , value]) => value)).toEqual([
      ["after 4"],
      ["after 5"],
      ["staged"],
      ["after 6"],
    ]);
  });
});
