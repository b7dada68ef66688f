import type { Caller } from "../auth/caller.ts";
import {
  matchesFilter,
  type ProtocolFilter,
} from "../model/protocol-filter.ts";
import type { RunEvent } from "../model/run-event.ts";
import { threadExists } from "../storage/checkpoints.ts";
import {
  firstEventSeq,
  lastEventSeq,
  newestStreamedRun,
} from "../storage/event-segments.ts";
import { getGraphOfRun, listUnfinishedRuns } from "../storage/runs.ts";
import { findThread } from "../storage/threads.ts";
import {
  protocolEvent,
  type ProtocolEvent,
  type RunFacts,
} from "../stream/protocol-events.ts";
import { eventsOrState } from "./protocol-gaps.ts";
import type { RunDeps } from "./run-deps.ts";
import { threadNotFound } from "./threads.ts";

/*
 * A subscription of the streaming protocol: the events of a thread that match
 * a filter, over all of its runs, from those that are kept to those to come.
 * The thread need not exist yet. Ends when it is deleted, or when the reader
 * leaves.
 */

type Deps = Pick<RunDeps, "database" | "events" | "workers" | "log">;

/** Throws 404 for a thread that is hidden from the caller; one that does not exist yet is waited for. */
export async function requireVisible(
  { database }: Pick<Deps, "database">,
  { access }: Caller,
  threadId: string,
): Promise<void> {
  if ((await findThread(database, threadId, access)) !== null) return;
  if (await threadExists(database, threadId)) throw threadNotFound(threadId);
}

/** All that matches the filter, what is there at once in one piece. */
export async function* streamProtocol(
  deps: Deps,
  caller: Caller,
  params: { thread_id: string; filter: ProtocolFilter; signal: AbortSignal },
): AsyncGenerator<ProtocolEvent[]> {
  const { filter, thread_id } = params;
  // From the first moment on: a run may come before the database has answered.
  using _ = deps.events.keepWhileRead(thread_id);
  const after = filter.since ?? (await replayFrom(deps, thread_id));
  const batches = protocolEvents(deps, caller, { ...params, after });
  for await (const batch of batches) {
    const asked = batch.filter((event) => matchesFilter(event, filter));
    if (asked.length > 0) yield asked;
  }
}

/** A piece of a stream is cut at so many characters: its reader may be slow. */
const MAX_BATCH = 64 * 1024;

/** All events with a greater number than `after`. */
export async function* protocolEvents(
  deps: Deps,
  caller: Caller,
  params: { thread_id: string; after: number; signal: AbortSignal },
): AsyncGenerator<ProtocolEvent[]> {
  const { database, events } = deps;
  const { thread_id } = params;
  // Clients change their filter as they go, and come back for what the new one has.
  using _ = events.keepWhileRead(thread_id);
  let isThere = await threadExists(database, thread_id);
  for await (const batch of eventsOrState(deps, caller, {
    ...params,
    hasEnded: async () => isThere && !(await threadExists(database, thread_id)),
  })) {
    if (!isThere) await requireVisible(deps, caller, thread_id);
    isThere = true;
    let made: ProtocolEvent[] = [];
    let size = 0;
    for (const event of batch) {
      const isStart = event.event === "metadata";
      const facts = isStart ? await factsOf(deps, event) : NO_FACTS;
      const told = protocolEvent(event, facts);
      if (told === null) continue;
      // It tells that nothing of the run can be lost any more.
      if (told.isTerminal) await database.durable();
      made.push(told);
      size += told.text.length;
      if (size < MAX_BATCH) continue;
      yield made;
      [made, size] = [[], 0];
    }
    if (made.length > 0) yield made;
  }
}

const NO_FACTS: RunFacts = { graph_name: null };

const factsOf = async (
  { database }: Deps,
  { run_id }: RunEvent,
): Promise<RunFacts> => ({
  graph_name: await getGraphOfRun(database, run_id),
});

/**
 * The number before the first event that a new reader gets: all since the
 * oldest run that has not ended, else those of the last one. Some clients know
 * nothing of runs, and would take the end of an earlier one for that of theirs.
 */
export async function replayFrom(
  { database }: Pick<Deps, "database">,
  threadId: string,
): Promise<number> {
  // First: a run that ends meanwhile is then replayed, and not passed over.
  const last = await lastEventSeq(database, threadId);
  const [oldest] = await listUnfinishedRuns(database, threadId);
  const run_id =
    oldest?.run_id ?? (await newestStreamedRun(database, threadId));
  if (run_id === null) return Math.max(0, last - 1); // nothing is kept: the state is owed
  const first = await firstEventSeq(database, run_id);
  return first === null ? last : first - 1;
}
