import type { ThreadState } from "../model/thread-state.ts";
import type { GraphState } from "../workers/port.ts";

/** What a state was computed from; when any of it differs, the state may too. */
export interface StateVersion {
  /** The checkpoint, what was written to it, and the config that built the graph. */
  stamp: string;
  /** The code: a graph that was loaded anew is another object. */
  graph: GraphState | undefined;
}

interface Entry extends StateVersion {
  state: ThreadState;
  size: number;
}

/** In characters of JSON, which is about half of what a state takes in memory. */
const MAX_SIZE = 16 * 1024 * 1024;

/** One state must not push out all others. */
const MAX_STATE_SIZE = MAX_SIZE / 4;

/** States as workers computed them; the ones that were not asked for longest go first. */
export class StateCache {
  readonly #entries = new Map<string, Entry>();
  #size = 0;

  get(key: string, version: StateVersion): ThreadState | null {
    const entry = this.#entries.get(key);
    if (entry === undefined) return null;
    this.#entries.delete(key);
    if (entry.stamp !== version.stamp || entry.graph !== version.graph) {
      this.#size -= entry.size;
      return null;
    }
    this.#entries.set(key, entry);
    return entry.state;
  }

  set(key: string, version: StateVersion, state: ThreadState): void {
    const size = JSON.stringify(state).length;
    this.#drop(key);
    if (size > MAX_STATE_SIZE) return;
    this.#entries.set(key, { ...version, state, size });
    this.#size += size;
    for (const oldest of this.#entries.keys()) {
      if (this.#size <= MAX_SIZE) break;
      this.#drop(oldest);
    }
  }

  #drop(key: string): void {
    this.#size -= this.#entries.get(key)?.size ?? 0;
    this.#entries.delete(key);
  }
}
