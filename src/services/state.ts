import type { Caller } from "../auth/caller.ts";
import { notFound } from "../model/errors.ts";
import type { CheckpointConfig } from "../model/thread-state-requests.ts";
import { EMPTY_STATE, type ThreadState } from "../model/thread-state.ts";
import type { StateTarget } from "../protocol/state-frames.ts";
import type { Database } from "../storage/database.ts";
import { readHead, type ThreadHead } from "../storage/thread-head.ts";
import { findThread } from "../storage/threads.ts";
import type { Workers } from "../workers/port.ts";
import type { StateCache } from "./state-cache.ts";
import {
  checkpointNotFound,
  checkpointRef,
  stateTarget,
} from "./state-target.ts";

export interface StateDeps {
  database: Database;
  workers: Workers;
  states: StateCache;
}

export interface StateQuestion {
  thread_id: string;
  /** The newest of the root graph when absent; with a namespace alone, the newest of that subgraph. */
  checkpoint?: CheckpointConfig | undefined;
  subgraphs: boolean;
}

/** Empty for a thread that has no state yet. A checkpoint id that does not exist is `not_found`. */
export async function getState(
  deps: StateDeps,
  caller: Caller,
  { thread_id, checkpoint = {}, subgraphs }: StateQuestion,
): Promise<ThreadState> {
  const thread = await findThread(deps.database, thread_id, caller.access);
  if (thread === null) throw notFound(`Thread with ID ${thread_id} not found`);
  const target = await stateTarget(deps.database, thread);
  const state =
    target === null
      ? null
      : await readState(deps, { target, checkpoint, subgraphs });
  if (state !== null) return state;
  if (checkpoint.checkpoint_id === undefined) return EMPTY_STATE;
  throw checkpointNotFound(thread_id, checkpoint.checkpoint_id);
}

interface Read {
  target: StateTarget;
  checkpoint: CheckpointConfig;
  subgraphs: boolean;
}

/** Asks a worker only for what has changed since it was asked for last. */
async function readState(
  deps: StateDeps,
  { target, checkpoint, subgraphs }: Read,
): Promise<ThreadState | null> {
  const { database, workers, states } = deps;
  const ref = checkpointRef(checkpoint);
  const { thread_id } = target;
  const namespace = ref.checkpoint_ns ?? "";
  const head = await readHead(database, {
    thread_id,
    checkpoint_ns: namespace,
    checkpoint_id: ref.checkpoint_id,
  });
  // A subgraph with a history of its own keeps it under another namespace, which its graph alone knows.
  if (head === null && namespace === "") return null;

  const key = JSON.stringify([thread_id, ref, subgraphs]);
  const version = {
    stamp: JSON.stringify([head, target]),
    graph: workers
      .graphs()
      .find(({ graph_id }) => graph_id === target.graph_id),
  };
  const known = head === null ? null : states.get(key, version);
  if (known !== null) return known;

  const state = await workers.ask("state.get", {
    target,
    checkpoint: ref,
    subgraphs,
  });
  if (state !== null && dependsOnlyOn(head, state))
    states.set(key, version, state);
  return state;
}

/** A run may have moved on since the head was read, and a nested state changes without it. */
const dependsOnlyOn = (head: ThreadHead | null, state: ThreadState): boolean =>
  state.checkpoint?.checkpoint_id === head?.checkpoint_id &&
  state.tasks.every((task) => task.state === null);
