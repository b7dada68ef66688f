import type { Caller } from "../auth/caller.ts";
import type { Run } from "../model/run.ts";
import type { StatelessRunCreate } from "../model/run-requests.ts";
import { CHANNELS } from "../storage/channels.ts";
import { isStill } from "../storage/assistants.ts";
import { acceptAtOnce } from "../storage/run-acceptance.ts";
import {
  acceptIn,
  atOnce,
  NO_ROOM_MADE,
  startOf,
  type Accepted,
} from "./enqueue-run.ts";
import { announceStopped } from "./stop-run.ts";
import {
  acceptanceOf,
  statelessAcceptance,
  statelessRun,
  threadRun,
  type Acceptance,
  type Asked,
  type ThreadRunParams,
} from "./run-acceptance.ts";
import type { RunDeps } from "./run-deps.ts";

/*
 * Accepting a run is one transaction: the thread is locked (or made), the
 * multitask strategy decides, the run gets its place in the queue, the thread
 * gets busy. Once that is on disk the run will be executed, whatever dies.
 *
 * Most runs come to a thread on which nothing goes on, so there is nothing to
 * decide: `acceptAtOnce` accepts those with one statement, by the assistant as
 * it was known. What it does not accept takes the long way.
 */

/**
 * Creates a run on a thread. Throws 404 for an unknown assistant or thread,
 * 409 when the strategy is `reject` and another run is in flight.
 */
export async function createThreadRun(
  deps: RunDeps,
  caller: Caller,
  params: ThreadRunParams,
): Promise<Run> {
  return accept(deps, caller, threadRun(deps, caller, params));
}

/** Creates a run on a thread of its own, which goes with the run unless it is to be kept. */
export async function createStatelessRun(
  deps: RunDeps,
  caller: Caller,
  params: { request: StatelessRunCreate; isStreamed?: boolean },
): Promise<Run> {
  return accept(deps, caller, statelessRun(deps, caller, params));
}

/** Runs on threads of their own, in the order of the requests: all of them, or none. */
export async function createRunBatch(
  deps: RunDeps,
  caller: Caller,
  requests: readonly StatelessRunCreate[],
): Promise<Run[]> {
  const acceptances: Acceptance[] = [];
  for (const [index, request] of requests.entries()) {
    const place = `body[${index}].`;
    acceptances.push(
      await statelessAcceptance(deps, caller, { request, place }),
    );
  }
  const accepted = await deps.database.transaction(async (tx) => {
    const all: Accepted[] = [];
    for (const one of acceptances) all.push(await acceptIn(tx, deps, one));
    return all;
  });
  for (const one of accepted) announce(deps, one);
  return accepted.map(({ run }) => run);
}

async function accept(
  deps: RunDeps,
  caller: Caller,
  asked: Asked,
): Promise<Run> {
  const { workers, assistants } = deps;
  const known = assistants.recall(workers, caller, asked.request.assistant_id);
  const accepted =
    (known && (await acceptAsKnown(deps, { ...asked, assistant: known }))) ??
    (await acceptAsRead(deps, await acceptanceOf(deps, caller, asked)));
  announce(deps, accepted);
  return accepted.run;
}

const acceptAsRead = async (
  deps: RunDeps,
  params: Acceptance,
): Promise<Accepted> =>
  (await tryAtOnce(deps, params)) ??
  deps.database.transaction((tx) => acceptIn(tx, deps, params));

/** Null when the assistant is not what it was; whatever else is wrong with the request is told after that. */
async function acceptAsKnown(
  deps: RunDeps,
  params: Acceptance,
): Promise<Accepted | null> {
  const accepted = await tryAtOnce(deps, params);
  if (accepted !== null) return accepted;
  try {
    return await deps.database.transaction(async (tx) => {
      const still = isStill(tx, params.assistant);
      const accepting = acceptIn(tx, deps, params); // shares its round trip
      accepting.catch(() => {});
      if (!(await still)) throw new AssistantChanged();
      return accepting;
    });
  } catch (cause) {
    if (cause instanceof AssistantChanged) return null;
    throw cause;
  }
}

class AssistantChanged extends Error {}

async function tryAtOnce(
  deps: RunDeps,
  params: Acceptance,
): Promise<Accepted | null> {
  const { request } = params;
  if (startOf(request) !== null) return null;
  const run = await acceptAtOnce(deps.database, atOnce(deps, params));
  return run && { run, room: NO_ROOM_MADE, request };
}

/** To be called after the commit of what `acceptIn` was part of. */
export function announce(
  { database, log }: RunDeps,
  { run: { run_id, thread_id }, room, request }: Accepted,
): void {
  announceStopped(database, thread_id, room);
  const { unknown_stream_modes: unknown } = request;
  if (unknown.length > 0)
    log.warn({ run_id, unknown }, "unknown stream modes are ignored");
  if (request.after_seconds > 0) database.notify(CHANNELS.delays, thread_id);
}
