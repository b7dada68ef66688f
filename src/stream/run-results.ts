import type { Produced } from "./event-log.ts";

/** A frame of `values` that only tells of interrupts begins like this. */
export const INTERRUPT_ONLY = '{"__interrupt__"';

/** Of the stream of a run, what its result is made of: its last state, and the questions around it. */
export function resultFrames(events: readonly Produced[]): Produced[] {
  const frames = events.filter(([event]) => event === "values");
  const isState = ([, data]: Produced) => !data.startsWith(INTERRUPT_ONLY);
  const last = frames.findLastIndex(isState);
  const before = frames.slice(0, Math.max(last, 0)).findLastIndex(isState);
  return frames.slice(before + 1);
}

/** A state below this length is stored with the run's end; a longer one is in the thread already. */
const LONG_STATE = 32 * 1024;

/** What the last long results may take up, in characters. */
const MAX_SIZE = 16 * 1024 * 1024;

/**
 * The last states of runs that left a long state to their thread: for whoever
 * waits for one of them while the next run of the thread already changes it.
 */
export class RunResults {
  readonly #states = new Map<string, string>();
  #size = 0;

  get(runId: string): string | null {
    return this.#states.get(runId) ?? null;
  }

  /** The frames without a long state that the thread itself shows; that one is remembered here. */
  lean(
    runId: string,
    frames: readonly Produced[],
    threadValues: unknown,
  ): Produced[] {
    const state = frames.find(
      ([event, data]) =>
        event === "values" &&
        data.length > LONG_STATE &&
        data === JSON.stringify(threadValues),
    );
    if (state === undefined) return [...frames];
    this.#remember(runId, state[1]);
    return frames.filter((frame) => frame !== state);
  }

  #remember(runId: string, state: string): void {
    this.#states.set(runId, state);
    this.#size += state.length;
    for (const [oldest, { length }] of this.#states) {
      if (this.#size <= MAX_SIZE || oldest === runId) break;
      this.#states.delete(oldest);
      this.#size -= length;
    }
  }
}
