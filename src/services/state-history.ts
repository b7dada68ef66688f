import type { Caller } from "../auth/caller.ts";
import type { JsonObject } from "../lib/json.ts";
import { notFound } from "../model/errors.ts";
import type { CheckpointConfig } from "../model/thread-state-requests.ts";
import type { ThreadState } from "../model/thread-state.ts";
import type { StateTarget } from "../protocol/state-frames.ts";
import { listHeads, type ThreadHead } from "../storage/thread-head.ts";
import { findThread } from "../storage/threads.ts";
import type { StateVersion } from "./state-cache.ts";
import type { StateDeps } from "./state.ts";
import { checkpointRef, stateTarget } from "./state-target.ts";

export interface HistoryQuestion {
  thread_id: string;
  limit: number;
  /** States strictly older than this checkpoint. */
  before?: string | undefined;
  /** What the metadata of a checkpoint must contain. */
  metadata?: JsonObject | undefined;
  /** Its namespace selects a subgraph; its id, that one state. */
  checkpoint?: CheckpointConfig | undefined;
}

/** Newest first; empty for a thread that has no state yet. */
export async function getHistory(
  deps: StateDeps,
  caller: Caller,
  question: HistoryQuestion,
): Promise<ThreadState[]> {
  const { database } = deps;
  const { thread_id, metadata, checkpoint } = question;
  const thread = await findThread(database, thread_id, caller.access);
  if (thread === null) throw notFound(`Thread with ID ${thread_id} not found`);
  const target = await stateTarget(database, thread);
  if (target === null) return [];
  const isPlain = metadata === undefined && checkpoint === undefined;
  return isPlain
    ? knownHistory(deps, target, question)
    : askHistory(deps, target, question);
}

/**
 * Of the root graph without a filter: a state of the past changes only when
 * something is written to its checkpoint, so a worker is asked no further back
 * than to the oldest one that is not known yet.
 */
async function knownHistory(
  deps: StateDeps,
  target: StateTarget,
  question: HistoryQuestion,
): Promise<ThreadState[]> {
  const { thread_id, limit, before } = question;
  const { database, states } = deps;
  const heads = await listHeads(database, {
    thread_id,
    checkpoint_ns: "",
    before,
    limit,
  });
  const graph = deps.workers
    .graphs()
    .find(({ graph_id }) => graph_id === target.graph_id);
  const places = heads.map((head) => placeOf(head, target, graph));
  const known = places.map(({ key, version }) => states.get(key, version));
  const newerThanKnown = known.lastIndexOf(null) + 1;
  if (newerThanKnown === 0) return known as ThreadState[];
  const asked = await askHistory(deps, target, {
    ...question,
    limit: newerThanKnown,
  });
  // A run may have moved on meanwhile; then what was asked and what is known do not fit together.
  const fits =
    asked.length === newerThanKnown &&
    asked.every((state, index) => isOf(state, heads[index]));
  if (!fits) return askHistory(deps, target, question);
  for (const [index, state] of asked.entries()) {
    const place = places[index];
    if (place !== undefined && state.tasks.every((task) => task.state === null))
      states.set(place.key, place.version, state);
  }
  return [...asked, ...(known.slice(newerThanKnown) as ThreadState[])];
}

function placeOf(
  head: ThreadHead,
  target: StateTarget,
  graph: StateVersion["graph"],
): { key: string; version: StateVersion } {
  return {
    key: JSON.stringify([target.thread_id, "history", head.checkpoint_id]),
    version: { stamp: JSON.stringify([head, target]), graph },
  };
}

const isOf = (state: ThreadState, head: ThreadHead | undefined): boolean =>
  state.checkpoint?.checkpoint_id === head?.checkpoint_id;

const askHistory = (
  { workers }: StateDeps,
  target: StateTarget,
  { limit, before, metadata, checkpoint }: HistoryQuestion,
): Promise<ThreadState[]> =>
  workers.ask("state.history", {
    target,
    limit,
    ...(checkpoint === undefined
      ? {}
      : { checkpoint: checkpointRef(checkpoint) }),
    ...(before === undefined ? {} : { before }),
    ...(metadata === undefined ? {} : { metadata }),
  });
