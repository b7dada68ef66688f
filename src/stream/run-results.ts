import { Newest } from "../lib/newest.ts";
import type { ProducedEvent } from "../model/run-event.ts";
import type { RunError, RunStatus } from "../model/run.ts";

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

/** What the result of one run that goes on may take up; beyond it the table is read in the end. */
const MAX_KEPT_SIZE = 1024 * 1024;

/** The frames of a result with further events of the run. Null: they are not known, or too much to be kept. */
export function furtherFrames(
  frames: readonly ProducedEvent[] | null,
  events: readonly ProducedEvent[],
): readonly ProducedEvent[] | null {
  if (frames === null) return null;
  const further = resultFrames([...frames, ...events]);
  return sizeOf(further) > MAX_KEPT_SIZE ? null : further;
}

const sizeOf = (frames: readonly ProducedEvent[]): number =>
  frames.reduce((sum, [, data]) => sum + data.length, 0);

/** A state below this length is stored with the run's end; a longer one is in the thread already. */
const LONG_STATE = 32 * 1024;

/** What the last results may take up, in characters. */
const MAX_SIZE = 16 * 1024 * 1024;

/** How a run has ended, as `getRunEnd` has it. */
export interface RunEnding {
  /** Null: the run is gone. */
  status: RunStatus | null;
  error: RunError | null;
}

/** Of a run that was rolled back, or deleted. */
export const GONE: RunEnding = { status: null, error: null };

/** Results of the runs that ended last here, for those who wait for them. A cache of the tables, but for the long states. */
export class RunResults {
  readonly #endings = new Newest<RunEnding>(MAX_SIZE);
  readonly #frames = new Newest<readonly ProducedEvent[]>(MAX_SIZE);
  readonly #states = new Newest<string>(MAX_SIZE);

  /** All frames that the result of a run is made of; null: the tables have them. */
  framesOf(runId: string): readonly ProducedEvent[] | null {
    return this.#frames.get(runId);
  }

  remember(runId: string, frames: readonly ProducedEvent[]): void {
    this.#frames.set(runId, frames, sizeOf(frames));
  }

  /** Null: the table knows whether it has ended. */
  endingOf(runId: string): RunEnding | null {
    return this.#endings.get(runId);
  }

  /** To be called once it is stored. */
  end(runId: string, { status, error }: RunEnding): void {
    const size = error?.message.length ?? 0;
    this.#endings.set(runId, { status, error }, size);
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
