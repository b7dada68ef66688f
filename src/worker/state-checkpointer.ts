import type { RunnableConfig } from "@langchain/core/runnables";
import {
  BaseCheckpointSaver,
  ERROR,
  INTERRUPT,
  RESUME,
  type CheckpointListOptions,
  type CheckpointTuple,
  type DeltaChannelHistory,
} from "@langchain/langgraph-checkpoint";

type Saver = BaseCheckpointSaver;

/**
 * A saver for states, over another one: it does not tell which answers tasks
 * were given. LangGraph takes an answer for a result of its task when it makes
 * up a state, so that a task that asks a second question would neither be next
 * nor wait for anybody. Without `results` it tells none of them either, for a
 * state that they do not fit into.
 */
export class StateCheckpointer extends BaseCheckpointSaver {
  readonly #saver: Saver;
  readonly #isTold: (channel: string) => boolean;

  constructor(saver: Saver, { results } = { results: true }) {
    super(saver.serde);
    this.#saver = saver;
    this.#isTold = (channel) =>
      results ? channel !== RESUME : channel === ERROR || channel === INTERRUPT;
  }

  override async getTuple(
    config: RunnableConfig,
  ): Promise<CheckpointTuple | undefined> {
    const tuple = await this.#saver.getTuple(config);
    return tuple && this.#told(tuple);
  }

  override async *list(
    config: RunnableConfig,
    options?: CheckpointListOptions,
  ): AsyncGenerator<CheckpointTuple> {
    for await (const tuple of this.#saver.list(config, options))
      yield this.#told(tuple);
  }

  override put(...params: Parameters<Saver["put"]>): Promise<RunnableConfig> {
    return this.#saver.put(...params);
  }

  override putWrites(...params: Parameters<Saver["putWrites"]>): Promise<void> {
    return this.#saver.putWrites(...params);
  }

  override deleteThread(threadId: string): Promise<void> {
    return this.#saver.deleteThread(threadId);
  }

  override getDeltaChannelHistory(
    ...params: Parameters<Saver["getDeltaChannelHistory"]>
  ): Promise<Record<string, DeltaChannelHistory>> {
    return this.#saver.getDeltaChannelHistory(...params);
  }

  #told({ pendingWrites = [], ...tuple }: CheckpointTuple): CheckpointTuple {
    return {
      ...tuple,
      pendingWrites: pendingWrites.filter(([, channel]) =>
        this.#isTold(channel),
      ),
    };
  }
}
