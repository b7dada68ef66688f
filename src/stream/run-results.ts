import { Newest } from "../lib/newest.ts";
import type { ProducedEvent } from "../model/run-event.ts";

/** A frame of `values` that only tells of interrupts begins like this. */
export const INTERRUPT_ONLY = '{"__interrupt__"';

/** Of the stream of a run, what its result is made of: its last state, the questions around it, and links for feedback. */
export function resultFrames(
  events: readonly ProducedEvent[],
): ProducedEvent[] {
  const frames = events.filter(
    ([event]) => event === "values" || event === "feedback",
  );
  const isState = ([event, data]: ProducedEvent) =>
    event === "values" && !data.startsWith(INTERRUPT_ONLY);
  const last = frames.findLastIndex(isState);
  const before = frames.slice(0, Math.max(last, 0)).findLastIndex(isState);
  return frames.slice(before + 1);
}

/** A state below this length is stored with the run's end; a longer one is in the thread already. */
const LONG_STATE = 32 * 1024;

/** What the last results may take up, in characters. */
const MAX_SIZE = 16 * 1024 * 1024;

/** Results of the runs that ended last, for those who wait for them. A cache of the tables, but for the long states. */
export class RunResults {
  readonly #frames = new Newest<readonly ProducedEvent[]>(MAX_SIZE);
  readonly #states = new Newest<string>(MAX_SIZE);

  /** All frames that the result of a run is made of; null: the tables have them. */
  framesOf(runId: string): readonly ProducedEvent[] | null {
    return this.#frames.get(runId);
  }

  remember(runId: string, frames: readonly ProducedEvent[]): void {
    const size = frames.reduce((sum, [, data]) => sum + data.length, 0);
    this.#frames.set(runId, frames, size);
  }

  /**
   * The last state of a run that left a long one to its thread: for whoever
   * waits for it while the next run of the thread already changes it.
   */
  stateOf(runId: string): string | null {
    return this.#states.get(runId);
  }

  /** The frames without a long state that the thread itself shows; that one is remembered here. */
  lean(
    runId: string,
    frames: readonly ProducedEvent[],
    threadValues: unknown,
  ): ProducedEvent[] {
    const state = frames.find(
      ([event, data]) =>
        event === "values" &&
        data.length > LONG_STATE &&
        data === JSON.stringify(threadValues),
    );
    if (state === undefined) return [...frames];
    this.#states.set(runId, state[1], state[1].length);
    return frames.filter((frame) => frame !== state);
  }
}
