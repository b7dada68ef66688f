import type { Caller } from "../auth/caller.ts";
import type { RunEvent } from "../model/run-event.ts";
import { EMPTY_STATE } from "../model/thread-state.ts";
import type { ThreadStreamMode } from "../model/thread-stream.ts";
import { threadExists } from "../storage/checkpoints.ts";
import { follow } from "../stream/follow.ts";
import { MessageChunks } from "../stream/message-chunks.ts";
import type { RunDeps } from "./run-deps.ts";
import { stateOfRun } from "./run-state.ts";
import { newestSeq } from "./run-stream.ts";

/*
 * The stream of a thread: the runs that it had, has and will have, one after
 * the other, until the thread is deleted or the reader leaves. A run that is
 * cancelled before it starts has no frames, and so does not show.
 *
 * The state after a run is no event of the log. Its frame comes behind that of
 * the run's end and has a number between that and the next, so that whoever
 * comes back with either of the two misses nothing.
 */

const STATE_STEP = 0.5;

type ThreadStreamDeps = Pick<RunDeps, "database" | "events" | "workers">;

export interface ThreadStreamParams {
  thread_id: string;
  modes: readonly ThreadStreamMode[];
  /** Frames with a greater number; null: only what happens from now on. */
  after: number | null;
  signal: AbortSignal;
}

export async function* streamThread(
  deps: ThreadStreamDeps,
  caller: Caller,
  params: ThreadStreamParams,
): AsyncGenerator<RunEvent> {
  const { thread_id, modes, signal } = params;
  const after = params.after ?? (await newestSeq(deps, thread_id)) + STATE_STEP;
  const events = follow(deps, {
    thread_id,
    run_id: null,
    // The state after that event may still be owed.
    after: Math.ceil(after) - 1,
    signal,
    hasEnded: async () => !(await threadExists(deps.database, thread_id)),
  });
  const chunks = new MessageChunks();
  for await (const event of events) {
    const { run_id } = event;
    const shown = chunks.of(event);
    const isEnd = event.event === "end";
    // It tells that nothing of the run can be lost any more.
    if (isEnd) await deps.database.durable();
    if (shown !== null && event.seq > after && isShown(shown, modes))
      yield shown;
    const seq = event.seq + STATE_STEP;
    if (isEnd && seq > after && modes.includes("state_update"))
      yield {
        ...event,
        seq,
        ...(await stateFrame(deps, caller, { thread_id, run_id })),
      };
  }
}

const isShown = (
  { event }: RunEvent,
  modes: readonly ThreadStreamMode[],
): boolean =>
  modes.includes("run_modes") ||
  (modes.includes("lifecycle") && (event === "metadata" || event === "end"));

async function stateFrame(
  deps: ThreadStreamDeps,
  { access }: Caller,
  params: { thread_id: string; run_id: string },
): Promise<Pick<RunEvent, "event" | "data">> {
  const state = (await stateOfRun(deps, access, params)) ?? EMPTY_STATE;
  const data = JSON.stringify({ ...params, state });
  return { event: "state_update", data };
}
